import { create } from "@bufbuild/protobuf";
import { ReleaseSessionSchema } from "@fanfare/proto/cluster/v1alpha";
import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { silentLog } from "../observe/log.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { AppHub } from "./app-hub.ts";
import { ClusterSessions } from "./cluster-sessions.ts";
import type { Session } from "./session.ts";

/** A node that has one session, `s`, by the attempt 5. */
function nodeWithSession() {
  const closed: CloseCode[] = [];
  const session = {
    id: "s",
    attempt: 5,
    generation: 5,
    subscriptions: new Map(),
    unsubscribed: new Set(),
    results: { toMoved: () => ({ publishes: [], last: 3, lastVolatile: 0 }) },
    publishBucket: { level: () => 1 },
    link: { goingAway: false, close: (code: CloseCode) => void closed.push(code) },
  } as unknown as Session;
  const sessions = new Map([["s", session]]);
  const hub = {
    appId: "a",
    sessions,
    tombstones: { get: () => CloseCode.KICKED },
    depart: ({ id }: Session) => sessions.delete(id),
    closeDeparted: () => {},
  } as unknown as AppHub;
  const cluster = { counters: { sessionsOut: 0 }, onDeath: () => () => {}, broker: {} } as unknown as Cluster;
  const rest = { clock: new VirtualClock(), log: silentLog, resumeWindowMs: 1000, applyStanding: () => {} };
  const owned = new ClusterSessions({ hub, cluster, ...rest });
  const release = (attempt: number) => owned.onRelease(create(ReleaseSessionSchema, { sessionId: "s", attempt }));
  return { release, closed, sessions };
}

describe("sessions in a cluster", () => {
  it("are released to another node that has claimed them by a higher attempt", () => {
    const { release, closed, sessions } = nodeWithSession();
    expect(release(6)).toMatchObject({ case: "releasedSession", value: { lastSeq: 3n } });
    expect([closed, sessions.size]).toEqual([[CloseCode.REPLACED], 0]);
  });

  it("stay when they have come back since another node has asked for them", () => {
    const { release, closed, sessions } = nodeWithSession();
    for (const attempt of [4, 5]) {
      expect(release(attempt)).toEqual({ case: "releasedSession", value: { unknown: true, endedCode: 0 } });
    }
    expect([closed, sessions.size]).toEqual([[], 1]);
  });

  it("that were ended here are so to whoever has claimed them since", () => {
    const { release, sessions } = nodeWithSession();
    sessions.clear();
    expect(release(6)).toEqual({ case: "releasedSession", value: { unknown: true, endedCode: CloseCode.KICKED } });
  });
});
