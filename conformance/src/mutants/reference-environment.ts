import { Profile } from "@fanfare/proto/conformance/v1alpha";
import { servedFeatures } from "../reference-server/handshake.ts";
import { ReferenceServer } from "../reference-server/server.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { fixtureTokens } from "../target/fixtures.ts";
import { type Breaks, noBreaks } from "./mutants.ts";

/** The reference server in this process, as what cases run against. */
export async function openReference(breaks: Breaks = noBreaks): Promise<ServerEnvironment & AsyncDisposable> {
  const shared = await ReferenceServer.start(breaks);
  return {
    name: "reference-server",
    profiles: new Set([
      ...[Profile.CORE, Profile.GROUPS, Profile.PRESENCE, Profile.LIFECYCLE, Profile.LIMITS, Profile.JSON],
      ...[Profile.DURABLE, Profile.RPC, Profile.CONTROL, Profile.CLUSTER],
    ]),
    features: new Set(servedFeatures),
    tokens: fixtureTokens(),
    patienceMs: breaks.size === 0 ? 5_000 : 2_000,
    shared,
    disposable: () => ReferenceServer.start(breaks),
    canMove: true,
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}
