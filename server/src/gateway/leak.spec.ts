import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { type Clock, systemClock } from "../clock.ts";
import { until } from "../testing/test-client.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const limits = {
  maxConnectionsPerPlayer: 10_000,
  maxConnectionsPerAddress: 10_000,
  handshakesPerSecond: 1_000_000,
  publishesPerSecond: 1_000_000,
  publishBurst: 1_000_000,
};

/** One client's life: connect, subscribe, publish, be present, leave in one of four ways. */
async function live(server: TestServer, index: number): Promise<void> {
  const features = index % 2 === 0 ? ["resume", "presence", "report"] : [];
  const protocol = index % 3 === 0 ? "fanfare.v1.json" : "fanfare.v1.proto";
  const client = await server.join(`player-${index}`, { protocol, hello: { features } });
  const group = `room-${index % 7}-${index}`;
  await client.subscribe(group, { presence: true });
  await client.publish(group, "hello", { wantReport: true });
  await client.received(1);
  if (index % 4 === 0) client.send({ kind: { case: "disconnect", value: {} } });
  else if (index % 4 === 1) await client.close(1000);
  else if (index % 4 === 2) await client.close(4000);
  else client.cut();
  await client.ended();
  server.forget(client);
}

async function cycles(server: TestServer, from: number, count: number): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < from + count) await live(server, next++);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const { counters } = server;
  await until(() => counters.connections + counters.sessions === 0, "the last session to end");
}

function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 4; i++) collect();
  return process.memoryUsage().heapUsed;
}

it("sets few different timers, because Node keeps a list for each delay until it has passed", async () => {
  const delays: number[] = [];
  const clock: Clock = {
    ...systemClock,
    setTimer: (delayMs, callback) => {
      delays.push(delayMs);
      return systemClock.setTimer(delayMs, callback);
    },
  };
  await using server = await startTestServer({ limits, clock });
  for (let i = 0; i < 100; i++) {
    const client = await server.join("alice", { expiresInMs: 50_000 + i * 7_919_000, hello: { features: ["resume"] } });
    expect(client.welcome?.tokenExpiresAtMs).toBeGreaterThan(0n);
  }
  expect(Math.max(...delays)).toBeLessThanOrEqual(60_000);
  expect(new Set(delays.map(Math.trunc)).size).toBeLessThan(30);
});

it("keeps nothing of 5,000 clients that came and went", { timeout: 120_000 }, async () => {
  await using server = await startTestServer({ limits, timing: { resumeWindowMs: 20 } });
  await cycles(server, 0, 500);
  const before = heapInUse();
  await cycles(server, 500, 5_000);
  const growth = heapInUse() - before;
  expect(server.counters).toMatchObject({
    connections: 0,
    unauthenticated: 0,
    sessions: 0,
    sessionsDetached: 0,
    subscriptions: 0,
    sendQueueBytes: 0,
  });
  expect([...server.hub().channels.groups()]).toEqual([]);
  expect(growth).toBeLessThan(3 * 1024 * 1024);
});
