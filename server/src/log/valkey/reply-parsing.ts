import type { Reply } from "../../valkey/valkey-client.ts";
import type { LogPosition } from "../log-position.ts";
import type { LogMessage } from "../message-log.ts";

/** Flags in an entry's header. */
export const excludeSelfFlag = 1;

/** A position from an epoch and an id `<offset>-<tag>`. */
export function parsePosition(epoch: string | undefined, id: string | undefined): LogPosition {
  const [offset, tag] = String(id).split("-");
  return { epoch: Number(epoch), offset: Number(offset), tag: Number(tag) };
}

/** The incarnations on a route as `append` answers them; undefined: it is not known. */
export function parseRoute(route: string | undefined): readonly bigint[] | undefined {
  if (route?.startsWith("=") !== true) return undefined;
  return route.length === 1
    ? []
    : route
        .slice(1)
        .split(",")
        .map((hex) => BigInt(`0x${hex}`));
}

/** Id, header and body, as `read` answers them from index 1 on. */
export function parseEntries(reply: Reply): LogMessage[] {
  const parts = reply as readonly Reply[];
  const entries: LogMessage[] = [];
  for (let i = 1; i + 2 < parts.length; i += 3) {
    const { offset, tag } = parsePosition("0", String(parts[i]));
    entries.push({ kind: "message", offset, tag, ...parseHeader(String(parts[i + 1])), body: parts[i + 2] as Buffer });
  }
  return entries;
}

/** The header of an entry, described in `lua/log-state.ts`; what only the functions need is left out. */
function parseHeader(
  header: string,
): Pick<LogMessage, "previousTag" | "expiresAtMs" | "origin" | "seq" | "excludeSelf"> {
  const [previousTag, expiresAtMs, origin, seq, flags] = header.split(" ");
  return {
    previousTag: Number(previousTag),
    expiresAtMs: Number(expiresAtMs),
    origin: BigInt(`0x${origin}`),
    seq: Number(seq),
    excludeSelf: (Number(flags) & excludeSelfFlag) !== 0,
  };
}
