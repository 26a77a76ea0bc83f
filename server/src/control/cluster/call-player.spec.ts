import type { HandlerContext } from "@connectrpc/connect";
import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { FanfareError } from "../../fanfare-error.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { contextOf } from "../caller-context.ts";
import type { ControlNode } from "../control-context.ts";
import { callPlayerCall } from "./call-player.ts";
import type { Scatter } from "./scatter.ts";

const self = 1n;
const context = contextOf({ appId: "game", keyId: "k", scopes: new Set() });

interface Peer {
  /** How long ago its session was connected; default: it does not say. */
  readonly age?: number;
  /** How it refuses the call; default: it carries it out. */
  readonly refusal?: ErrorCode;
}

/** Calls a player at nodes of whom a test is the rest; this one has no session of the player. */
function calling(peers: Readonly<Record<string, Peer>>, dead: readonly bigint[] = []) {
  const called: bigint[] = [];
  const call = (peer: bigint, refusal: ErrorCode | undefined) => {
    called.push(peer);
    if (refusal !== undefined) throw new FanfareError(refusal, "no");
    return { sessionId: `of ${peer}` };
  };
  const nodes = Object.keys(peers).map(BigInt);
  const cluster = {
    ...{ incarnation: self, answer() {}, broker: { routes: { read: async () => nodes } } },
    othersOf: (route: readonly bigint[]) => route.filter((node) => !dead.includes(node)),
    ask: async (peer: bigint) => {
      const { age } = peers[`${peer}`] ?? {};
      if (age === undefined) throw new FanfareError(ErrorCode.UNIMPLEMENTED, "of an older release");
      return { case: "playerCalleeAgeMs", value: BigInt(age) };
    },
  } as unknown as Cluster;
  const scatter = {
    here: async () => call(self, ErrorCode.PLAYER_OFFLINE),
    at: async (peer: bigint) => call(peer, peers[`${peer}`]?.refusal),
  } as unknown as Scatter;
  const node = { clock: new VirtualClock(), apps: new Map() } as unknown as ControlNode;
  const { callPlayer } = callPlayerCall(node, cluster, scatter);
  const request = (sessionId: string) => ({ playerId: "ann", sessionId, rpc: { method: "m" } }) as never;
  const ask = async (sessionId = "") => {
    try {
      return ((await callPlayer(request(sessionId), context as HandlerContext)) as { sessionId: string }).sessionId;
    } catch (reason) {
      return ErrorCode[FanfareError.from(reason).code];
    }
  };
  return { ask, called };
}

describe("CallPlayer in a cluster", () => {
  it("asks the node whose session was connected last, and one that does not say after all that do", async () => {
    const { ask, called } = calling({ 2: {}, 3: { age: 40 }, 4: { age: 5 }, 5: { age: 9 } });
    expect([await ask(), called]).toEqual(["of 4", [4n]]);
  });

  it("asks the next one where the session has gone meanwhile, or that cannot be reached", async () => {
    const refusals = { 3: ErrorCode.UNAVAILABLE, 4: ErrorCode.PLAYER_OFFLINE };
    const { ask, called } = calling({
      3: { age: 2, refusal: refusals[3] },
      4: { age: 1, refusal: refusals[4] },
      5: { age: 3 },
    });
    expect([await ask(), called]).toEqual(["of 5", [4n, 3n, 5n]]);
  });

  it("asks no other one that may have been asked already", async () => {
    const { ask, called } = calling({ 3: { age: 1, refusal: ErrorCode.DEADLINE_EXCEEDED }, 4: { age: 2 } });
    expect([await ask(), called]).toEqual(["DEADLINE_EXCEEDED", [3n]]);
  });

  it("does not wait for a node that is dead", async () => {
    const { ask, called } = calling({ 3: {} }, [3n]);
    expect([await ask(), called]).toEqual(["PLAYER_OFFLINE", [self]]);
  });

  it("says by what several nodes say what is known", async () => {
    const [unknown, unreachable] = [{ refusal: ErrorCode.NOT_FOUND }, { refusal: ErrorCode.UNAVAILABLE }];
    expect(await calling({ 3: unknown }).ask("s")).toBe("PLAYER_OFFLINE");
    expect(await calling({ 3: unreachable, 4: unknown }).ask("s")).toBe("UNAVAILABLE");
  });
});
