import { create } from "@bufbuild/protobuf";
import { EndSessionSchema, FinishHandOverSchema, ReleaseSessionSchema } from "@fanfare/proto/cluster/v1alpha";
import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import type { ClaimResult } from "../broker/session-store.ts";
import { silentLog } from "../observe/log.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { AppHub } from "./app-hub.ts";
import { ClusterSessions } from "./cluster-sessions.ts";
import type { Credentials, Session } from "./session.ts";
import type { Ending } from "./session-life.ts";

const [own, other] = [1n, 2n] as const;

/** A node that has one session, `s`, by the attempt 5. */
function nodeWithSession() {
  const closed: CloseCode[] = [];
  const claims: (() => Promise<ClaimResult>)[] = [];
  const asked: unknown[] = [];
  const session = {
    id: "s",
    attempt: 5,
    generation: 5,
    subscriptions: new Map(),
    unsubscribed: new Set(),
    results: { toMoved: () => ({ publishes: [], underWay: [2], last: 3, lastVolatile: 0 }) },
    publishBucket: { level: () => 1 },
    ended: false,
    link: {
      goingAway: false,
      close: (code: CloseCode) => void closed.push(code),
      handOver: () => void closed.push(CloseCode.HANDED_OVER),
    },
  };
  const sessions = new Map([["s", session as unknown as Session]]);
  const tombstones = new Map<string, CloseCode>();
  const ended: unknown[] = [];
  const barrier = { isComplete: true };
  const hub = {
    appId: "a",
    sessions,
    tombstones,
    depart: ({ id }: Session) => sessions.delete(id),
    closeDeparted: () => {},
    isOnline: () => true,
    requireRoom: () => {},
    end: ({ id }: Session, { code }: Ending) => {
      sessions.delete(id);
      closed.push(code);
    },
    channels: { hold: () => ({ standing: undefined, release() {} }) },
    memberships: { groupsOf: () => [], replace: () => {} },
  } as unknown as AppHub;
  const answer = { unknown: false, endedCode: 0, lastSeq: 9n };
  const cluster = {
    incarnation: own,
    counters: { sessionsOut: 0, sessionsReleasedIn: 0, sessionsLostIn: 0 },
    nodes: { isDead: () => false },
    onDeath: () => () => {},
    barrier: async () => barrier.isComplete,
    ask: async (node: bigint, question: { value: unknown }) => {
      asked.push([node, question.value]);
      return { case: "releasedSession", value: answer };
    },
    broker: {
      sessions: {
        claim: () => claims.shift()?.(),
        end: async (...[, id, owner, mark]: unknown[]) => void ended.push([id, owner, mark]),
      },
      standing: { get: async () => ({ kickedAtMs: 0 }) },
      memberships: { groupsOf: async () => ({ groups: [], version: 1 }) },
    },
  } as unknown as Cluster;
  const rest = { clock: new VirtualClock(), log: silentLog, resumeWindowMs: 1000, applyStanding: () => {} };
  const owned = new ClusterSessions({ hub, cluster, ...rest });
  const release = (attempt: number) =>
    owned.onRelease(create(ReleaseSessionSchema, { sessionId: "s", attempt }), other);
  const credentials = { playerId: "p", groups: [], expiresAtMs: 1e6 } as unknown as Credentials;
  /** Its client comes back here by an attempt. */
  const arrive = async (attempt: number, claimed: () => Promise<ClaimResult>) => {
    claims.push(claimed);
    const resumes = { id: "s", origin: 7n };
    const { arrival, done } = await owned.arrive({ credentials, attempt, resumes, handOver: false, channels: [] });
    done();
    return arrival;
  };
  /** The backend has ended it. */
  const kick = (): void => {
    sessions.delete("s");
    tombstones.set("s", CloseCode.KICKED);
  };
  /** Its client has moved to another node, which serves it. */
  const handOver = async () => {
    session.link.goingAway = true;
    owned.onRelease(create(ReleaseSessionSchema, { sessionId: "s", attempt: 6, handOver: true }), other);
    await owned.onFinish(create(FinishHandOverSchema, { sessionId: "s" }));
  };
  return { owned, release, arrive, kick, handOver, barrier, closed, sessions, asked, ended };
}

/** A claim that succeeds, of a session that a node owned before. */
const after = (owner: bigint) => async (): Promise<ClaimResult> => ({
  outcome: "claimed",
  previous: { owner, record: new Uint8Array() },
});
const failing = async (): Promise<ClaimResult> => {
  throw new Error("nobody answers");
};

describe("sessions in a cluster", () => {
  it("are released to another node that has claimed them by a higher attempt", () => {
    const { release, closed, sessions } = nodeWithSession();
    expect(release(6)).toMatchObject({ case: "releasedSession", value: { lastSeq: 3n, underWay: [2n] } });
    expect([closed, sessions.size]).toEqual([[CloseCode.REPLACED], 0]);
  });

  it("stay when they have come back since another node has asked for them", () => {
    const { release, closed, sessions } = nodeWithSession();
    for (const attempt of [4, 5]) {
      expect(release(attempt)).toEqual({ case: "releasedSession", value: { unknown: true, endedCode: 0 } });
    }
    expect([closed, sessions.size]).toEqual([[], 1]);
  });

  it("go on here when they come back to where they are", async () => {
    const { arrive, closed, asked } = nodeWithSession();
    expect(await arrive(6, after(own))).toMatchObject({ kind: "here", session: { id: "s" } });
    expect([closed, asked]).toEqual([[], []]);
  });

  it("come back as from elsewhere when they were at another node, and this one has not heard of it", async () => {
    const { arrive, closed, sessions, asked } = nodeWithSession();
    expect(await arrive(7, after(other))).toMatchObject({ kind: "moved", released: { lastSeq: 9n } });
    expect([closed, sessions.size]).toEqual([[CloseCode.REPLACED], 0]);
    expect(asked).toEqual([[other, { sessionId: "s", attempt: 7, handOver: false }]]);
  });

  it("are not taken for those of before once a claim has failed, which may have hidden that they were elsewhere", async () => {
    for (const comesBack of [true, false]) {
      const { arrive, release, sessions } = nodeWithSession();
      await expect(arrive(7, failing)).rejects.toThrow("nobody answers");
      expect(sessions.size).toBe(1);
      if (comesBack) expect(await arrive(8, after(own))).toMatchObject({ kind: "moved", released: undefined });
      else expect(release(8)).toEqual({ case: "releasedSession", value: { unknown: true } });
      expect(sessions.size).toBe(0);
    }
  });

  it("are handed over without a gap only if every other node has said what it has sent by older routes", async () => {
    for (const [isComplete, code] of [
      [true, CloseCode.HANDED_OVER],
      [false, CloseCode.GOING_AWAY],
    ] as const) {
      const { handOver, barrier, closed } = nodeWithSession();
      barrier.isComplete = isComplete;
      await handOver();
      expect(closed).toEqual([code]);
    }
  });

  it("are ended when their client has done so on a connection that they have left", () => {
    const { owned, closed, sessions } = nodeWithSession();
    const end = () => owned.onEnd(create(EndSessionSchema, { sessionId: "s" }));
    expect([end(), closed, sessions.size]).toEqual([{ case: "done", value: {} }, [CloseCode.DISCONNECTED], 0]);
    end(); // it may have gone for other reasons
    expect(closed).toHaveLength(1);
  });

  it("that were ended here are so to whoever has claimed them since", () => {
    const { release, kick } = nodeWithSession();
    kick();
    expect(release(6)).toEqual({ case: "releasedSession", value: { unknown: true, endedCode: CloseCode.KICKED } });
  });

  it("that were ended here do not come back if the store did not get that, whoever has claimed them since (FF-SE-006)", async () => {
    for (const owner of [own, other]) {
      const { arrive, kick, ended } = nodeWithSession();
      kick();
      expect(await arrive(6, after(owner))).toMatchObject({ kind: "refused", code: CloseCode.KICKED });
      expect(ended).toEqual([["s", own, { code: CloseCode.KICKED, lifeMs: 1000 }]]);
    }
  });
});
