import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** Where a client goes that a server sends to an address: there, if it is at one of the client's origins, and otherwise where it is. */
export function targetOf(address: string, own: string, allowed: readonly string[], breaks: ClientBreaks): string {
  if (address === "" || !URL.canParse(address)) return own;
  const origins = allowed.map((one) => new URL(one).origin);
  return origins.includes(new URL(address).origin) || breaks.has("any-address") ? address : own;
}
