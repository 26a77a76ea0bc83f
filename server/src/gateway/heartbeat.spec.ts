import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { until } from "../testing/test-client.ts";
import { startTestServer } from "../testing/test-server.ts";
import { heartbeat, type Traffic } from "./heartbeat.ts";

const timing = { intervalMs: 100, timeoutMs: 50 };
const quiet: Traffic = { lastReceivedMs: 0, lastSentMs: 0, lastPingMs: Number.NEGATIVE_INFINITY };

describe("heartbeat", () => {
  it("waits while something was sent and received within the interval", () => {
    expect(heartbeat(99, quiet, timing)).toEqual({ action: "wait", checkAtMs: 100 });
    expect(heartbeat(120, { ...quiet, lastReceivedMs: 80, lastSentMs: 50 }, timing)).toEqual({
      action: "wait",
      checkAtMs: 150,
    });
  });

  it("pings when nothing was sent, or nothing received, for an interval", () => {
    expect(heartbeat(100, quiet, timing)).toEqual({ action: "ping", checkAtMs: 150 });
    expect(heartbeat(100, { ...quiet, lastReceivedMs: 99 }, timing)).toEqual({ action: "ping", checkAtMs: 200 });
    expect(heartbeat(100, { ...quiet, lastSentMs: 99 }, timing).action).toBe("ping");
  });

  it("pings at most once an interval", () => {
    const traffic = { lastReceivedMs: 70, lastSentMs: 110, lastPingMs: 110 };
    expect(heartbeat(190, traffic, timing)).toEqual({ action: "wait", checkAtMs: 210 });
    expect(heartbeat(210, traffic, timing)).toEqual({ action: "ping", checkAtMs: 220 });
  });

  it("takes the peer for dead after interval and timeout without a sign of life, and not before", () => {
    expect(heartbeat(149, { ...quiet, lastSentMs: 140, lastPingMs: 100 }, timing).action).toBe("wait");
    expect(heartbeat(150, { ...quiet, lastSentMs: 149 }, timing)).toEqual({ action: "dead" });
  });

  it("never looks again in the past, nor later than the peer would be dead", () => {
    for (let nowMs = 0; nowMs < 400; nowMs += 7) {
      for (let received = 0; received <= nowMs; received += 31) {
        for (let sent = 0; sent <= nowMs; sent += 31) {
          const verdict = heartbeat(nowMs, { lastReceivedMs: received, lastSentMs: sent, lastPingMs: sent }, timing);
          if (verdict.action === "dead") expect(nowMs - received).toBeGreaterThanOrEqual(150);
          else {
            expect(verdict.checkAtMs).toBeGreaterThan(nowMs);
            expect(verdict.checkAtMs).toBeLessThanOrEqual(received + 150);
          }
        }
      }
    }
  });
});

describe("the heartbeat of a connection", () => {
  const short = { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 100 };

  for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
    it(`goes both ways in ${protocol}, and gives the server the round trip`, async () => {
      await using server = await startTestServer({ timing: { ...short, heartbeatTimeoutMs: 5_000 } });
      const client = await server.join("alice", { protocol, hello: { features: ["resume"] } });
      const before = BigInt(Date.now()) * 1000n;
      client.send({ id: 42, kind: { case: "ping", value: { sentAtUs: 1234n } } });
      const pong = await client.next(({ id, kind }) => id === 42 && kind.case === "pong");
      if (pong.kind.case !== "pong") throw new Error("no pong");
      expect(pong.kind.value.pingSentAtUs).toBe(1234n);
      expect(Number(pong.kind.value.receivedAtUs - before)).toBeGreaterThan(-50_000);
      expect(pong.kind.value.sentAtUs >= pong.kind.value.receivedAtUs).toBe(true);
      const first = await client.next(({ kind }) => kind.case === "ping");
      const second = await client.next(({ kind }) => kind.case === "ping");
      expect(first.id).not.toBe(0);
      expect(second.id).not.toBe(first.id);
      const session = server.hub().sessions.get(client.welcome!.sessionId)!;
      await until(() => (session.link?.roundTripUs ?? 0) > 0, "a round trip");
      expect(session.link?.roundTripUs).toBeLessThan(2_000_000);
    });
  }

  it("pings who receives much and says nothing, and closes it with 4101; the session waits", async () => {
    await using server = await startTestServer({ timing: short });
    const client = await server.join("alice", { autoPong: false, hello: { features: ["resume"] } });
    const { sessionId } = client.welcome!;
    const talker = await server.join("bob");
    await talker.subscribe("lobby");
    const started = performance.now();
    expect((await client.ended()).code).toBe(CloseCode.HEARTBEAT_TIMEOUT);
    expect(performance.now() - started).toBeGreaterThan(150);
    expect(client.kinds).toContain("ping");
    expect(server.hub().sessions.get(sessionId)?.link).toBeUndefined();
    expect(talker.closedWith).toBeUndefined();
  });

  it("takes no WebSocket ping for a sign of life", async () => {
    await using server = await startTestServer({ timing: short });
    const client = await server.join("alice", { autoPong: false });
    const timer = setInterval(() => client.sendControlPing(), 20);
    expect((await client.ended()).code).toBe(CloseCode.HEARTBEAT_TIMEOUT);
    clearInterval(timer);
  });

  it("keeps a client that only sends messages without frames", async () => {
    await using server = await startTestServer({ timing: { ...short, heartbeatTimeoutMs: 500 } });
    const client = await server.join("alice", { autoPong: false });
    const timer = setInterval(() => client.send(), 30);
    for (let pings = 0; pings < 8; pings++) await client.frame("ping");
    clearInterval(timer);
    expect(client.closedWith).toBeUndefined();
  });

  it("believes no pong that was not asked for", async () => {
    await using server = await startTestServer({ timing: { heartbeatIntervalMs: 10_000 } });
    const client = await server.join("alice", { hello: { features: ["resume"] } });
    client.send({ id: 1, kind: { case: "pong", value: { pingSentAtUs: 1n } } });
    await client.settle();
    expect(server.hub().sessions.get(client.welcome!.sessionId)?.link?.roundTripUs).toBe(0);
  });
});
