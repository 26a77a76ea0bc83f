import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

const lists = new WeakMap<readonly string[], BlockList>();

/**
 * The address of the client: of the peer, or, behind proxies that are trusted, the last address in X-Forwarded-For that is no trusted
 * proxy. Anything before that one may have been made up by the client.
 * @param trustedProxies addresses and networks in CIDR form
 */
export function clientAddress(request: IncomingMessage, trustedProxies: readonly string[]): string {
  const peer = plain(request.socket.remoteAddress ?? "");
  if (trustedProxies.length === 0) return peer;
  const trusted = blockListOf(trustedProxies);
  const hops = [...forwardedFor(request), peer];
  for (let i = hops.length - 1; i > 0; i--) {
    const hop = hops[i] as string;
    if (!isTrusted(trusted, hop)) return hop;
  }
  return hops[0] as string;
}

function forwardedFor({ headers }: IncomingMessage): string[] {
  const header = headers["x-forwarded-for"];
  const text = Array.isArray(header) ? header.join(",") : (header ?? "");
  const hops = text.split(",").map((hop) => plain(hop.trim()));
  // From the last entry that is no address, nothing before it can be believed.
  const bad = hops.findLastIndex((hop) => isIP(hop) === 0);
  return hops.slice(bad + 1);
}

function isTrusted(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** IPv4 addresses that an IPv6 socket shows as ::ffff:a.b.c.d, in their plain form. */
function plain(address: string): string {
  return address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

function blockListOf(proxies: readonly string[]): BlockList {
  const known = lists.get(proxies);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = "", prefix] = proxy.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  lists.set(proxies, list);
  return list;
}
