import { expect, it } from "vitest";
import { type Clock, systemClock } from "../clock.ts";
import { until } from "../testing/test-client.ts";
import { startTestServer } from "../testing/test-server.ts";

const readers = 600;
const rounds = 25;

/** The machine's clock, on a machine so slow that two readings are 3 ms apart: every fan-out is cut into slices. */
function slowClock(): Clock {
  let addedMs = 0;
  return {
    ...systemClock,
    monotonicMs: () => {
      addedMs += 3;
      return systemClock.monotonicMs() + addedMs;
    },
  };
}

it("keeps order and loses nothing while fan-outs are cut into slices and others come and go", {
  timeout: 60_000,
}, async () => {
  const limits = {
    publishesPerSecond: 1_000_000,
    publishBurst: 1_000_000,
    framesPerSecond: 1_000_000,
    handshakesPerSecond: 1_000_000,
    sendQueueStallMs: 600_000,
  };
  const timing = { heartbeatIntervalMs: 300_000, heartbeatTimeoutMs: 60_000 };
  await using server = await startTestServer({ limits, timing, clock: slowClock() });
  const subscriptions = [{ channel: { kind: { case: "group" as const, value: "lobby" } } }];
  const join = (i: number) => server.join(`r${i}`, { hello: { subscriptions } });
  const staying = await Promise.all(Array.from({ length: readers }, (_, i) => join(i)));
  const publishers = await Promise.all(["p1", "p2", "p3"].map((player) => server.join(player)));
  const passing: Awaited<ReturnType<typeof join>>[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const publisher of publishers) publisher.tell("lobby", `${round}`);
    const passer = await join(readers + round);
    passing.push(passer);
    if (round % 2 === 1) passing[round - 1]!.cut();
  }
  const total = rounds * publishers.length;
  await until(() => staying.every(({ messages }) => messages.length >= total), "every message at every reader");
  for (const publisher of publishers) await publisher.settle();
  for (const reader of staying) {
    expect(reader.messages.length).toBe(total);
    for (const publisher of publishers) {
      const own = reader.messages.filter(({ origin }) => origin === publisher.welcome!.origin);
      expect(own.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: rounds }, (_, i) => i + 1));
    }
  }
  for (const passer of passing) {
    for (const publisher of publishers) {
      const seqs = passer.messages
        .filter(({ origin }) => origin === publisher.welcome!.origin)
        .map(({ seq }) => Number(seq));
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => (seqs[0] ?? 0) + i));
    }
  }
});
