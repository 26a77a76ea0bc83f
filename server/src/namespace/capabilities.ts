import { create } from "@bufbuild/protobuf";
import { type Channel, ChannelSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";

/** What a capability allows beyond the rules of the namespace. */
export type Verb = "subscribe" | "publish" | "presence";

/** The capabilities of one token, compiled once. */
export interface Capabilities {
  /** Whether a capability of this verb covers the channel. */
  allows(verb: Verb, channel: Channel): boolean;
}

/** What one text of a token's `caps` claim is not. The message says why, and repeats nothing of the token. */
export class CapabilityError extends Error {
  override readonly name = "CapabilityError";
}

/** The most capabilities of one token. */
const MAX_CAPABILITIES = 256;

const violationOf = validatorFor(ChannelSchema);

/** The capabilities of a token without any. */
export const noCapabilities: Capabilities = { allows: () => false };

/**
 * Compiles capabilities: `<verb>:<pattern>`, the verb `subscribe`, `publish` or `presence`, the pattern a group's name, the
 * beginning of one followed by `*`, `player/<id>`, `player/*`, or `broadcast`. A group that is called like one of the last three
 * cannot be named, only reached by a prefix. `subscribe:player/…` is accepted and without effect: nobody receives another's channel.
 * @throws CapabilityError if there are more than 256, or one is malformed
 */
export function parseCapabilities(texts: readonly string[]): Capabilities {
  if (texts.length === 0) return noCapabilities;
  if (texts.length > MAX_CAPABILITIES)
    throw new CapabilityError(`there are more than ${MAX_CAPABILITIES} capabilities`);
  const grants: Record<Verb, Grants> = { subscribe: emptyGrants(), publish: emptyGrants(), presence: emptyGrants() };
  for (const [i, text] of texts.entries()) addGrant(grants, text, i);
  return { allows: (verb, channel) => covers(grants[verb], channel) };
}

interface Grants {
  readonly groups: Set<string>;
  readonly prefixes: string[];
  readonly players: Set<string>;
  everyPlayer: boolean;
  broadcast: boolean;
}

function emptyGrants(): Grants {
  return { groups: new Set(), prefixes: [], players: new Set(), everyPlayer: false, broadcast: false };
}

function addGrant(grants: Record<Verb, Grants>, text: string, index: number): void {
  const colon = text.indexOf(":");
  if (colon < 1) throw new CapabilityError(`capability ${index} has no verb followed by a colon`);
  const verb = text.slice(0, colon);
  if (verb !== "subscribe" && verb !== "publish" && verb !== "presence") return; // of a later version (FF-TK-006)
  const pattern = text.slice(colon + 1);
  const mine = grants[verb];
  if (pattern === "broadcast") mine.broadcast = true;
  else if (pattern === "player/*") mine.everyPlayer = true;
  else if (pattern.startsWith("player/")) mine.players.add(named("player", pattern.slice(7), index));
  else if (pattern === "*") mine.prefixes.push("");
  else if (pattern.endsWith("*")) mine.prefixes.push(named("group", pattern.slice(0, -1), index));
  else mine.groups.add(named("group", pattern, index));
}

function named(kind: "player" | "group", name: string, index: number): string {
  const violation = violationOf(create(ChannelSchema, { kind: { case: kind, value: name } }));
  if (violation !== undefined) throw new CapabilityError(`the ${kind} of capability ${index} ${violation.message}`);
  return name;
}

function covers(grants: Grants, { kind }: Channel): boolean {
  switch (kind.case) {
    case "player":
      return grants.everyPlayer || grants.players.has(kind.value);
    case "group":
      return grants.groups.has(kind.value) || grants.prefixes.some((prefix) => kind.value.startsWith(prefix));
    case "broadcast":
      return grants.broadcast;
    default:
      return false;
  }
}
