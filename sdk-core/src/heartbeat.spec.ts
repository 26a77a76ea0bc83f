import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { encode } from "./wire/codec.ts";
import { Outcome } from "./wire/schema.ts";

describe("heartbeat", () => {
  it("answers a ping at once and by itself, without any timer [FF-HB-003, FF-HB-008]", async () => {
    const t = await Scripted.connected();
    t.socket.deliver(encode("ServerFrames", { frames: [{ id: 9, ping: { sentAtUs: 123 } }] }));
    const now = t.clock.now() * 1000;
    // Before any promise or timer had a chance: a hidden page has neither in time.
    expect(t.socket.last("pong")).toEqual({ id: 9, frame: { pingSentAtUs: 123, receivedAtUs: now, sentAtUs: now } });
  });

  it("measures round trip and clock offset", async () => {
    const t = await Scripted.connected();
    const { id, frame: ping } = t.socket.last("ping");
    await t.clock.advance(40);
    const server = t.clock.now() * 1000 + 5_000_000; // five seconds ahead, 20 ms ago
    await t.socket.say({
      id,
      pong: { pingSentAtUs: ping.sentAtUs, receivedAtUs: server - 22_000, sentAtUs: server - 18_000 },
    });
    expect(t.client.latency?.roundTripMs).toBeCloseTo(36, 3);
    expect(t.client.latency?.clockOffsetMs).toBeCloseTo(5000, 3);
    expect(t.statuses.at(-1)).toMatchObject({ type: "latency" });
  });

  it("takes a connection for dead after interval + timeout without anything, and closes it with 4101 [FF-HB-005, FF-HB-006]", async () => {
    const t = await Scripted.connected();
    await t.clock.advance(34_999);
    expect(t.socket.closedBy).toBeUndefined();
    expect(t.socket.sent("ping")).toHaveLength(2);
    await t.clock.advance(2);
    expect(t.socket.closedBy).toMatchObject({ code: 4101 });
    expect(t.client.status).toBe("waiting");
    await t.clock.advance(250);
    expect(t.network.sockets).toHaveLength(2);
  });

  it("reads what is there before it takes silence for granted, however little the program was late", async () => {
    const t = await Scripted.connected();
    await t.clock.advance(34_900);
    await t.clock.sleep(200);
    t.socket.deliver(new Uint8Array());
    await t.clock.advance(1000);
    expect(t.client.status).toBe("open");
    expect(t.network.sockets).toHaveLength(1);
  });

  it("counts every message as a sign of life, also an empty one [FF-HB-004]", async () => {
    const t = await Scripted.connected();
    for (let i = 0; i < 10; i++) {
      await t.clock.advance(34_000);
      t.socket.deliver(new Uint8Array());
    }
    await t.clock.advance(34_000);
    expect(t.client.status).toBe("open");
  });

  it("goes on after sleep if the server answers, and does not if it is silent [FF-HB-009]", async () => {
    const t = await Scripted.connected();
    await t.clock.sleep(3_600_000);
    await t.clock.advance(0);
    expect(t.socket.closedBy).toBeUndefined();
    const { id, frame } = t.socket.last("ping");
    await t.clock.advance(5000);
    await t.socket.say({ id, pong: { pingSentAtUs: frame.sentAtUs, receivedAtUs: 1, sentAtUs: 1 } });
    await t.clock.advance(20_000);
    expect(t.client.status).toBe("open");

    const silent = await Scripted.connected();
    await silent.clock.sleep(3_600_000);
    await silent.clock.advance(9999);
    expect(silent.socket.closedBy).toBeUndefined();
    await silent.clock.advance(2);
    expect(silent.socket.closedBy).toMatchObject({ code: 4101 });
  });

  it("proves the connection when the page comes back, and when the network changes", async () => {
    for (const event of ["check", "online", "offline"] as const) {
      const t = await Scripted.connected();
      await t.clock.advance(1000);
      const before = t.socket.sent("ping").length;
      await t.lifecycle(event);
      expect(t.socket.sent("ping"), event).toHaveLength(before + 1);
      await t.clock.advance(10_001);
      expect(t.socket.closedBy?.code, event).toBe(4101);
    }
  });
});

describe("after sleep", () => {
  it("reads the reply that is already there before an overdue timer fires", async () => {
    const t = await Scripted.connected();
    const published = t.client.broadcast.publish(text(), "x", { timeoutMs: 20_000 });
    const page = t.client.presence("broadcast", { timeoutMs: 20_000 });
    await settled();
    const publish = t.socket.last("publish").id;
    const presence = t.socket.last("presence").id;
    await t.clock.sleep(3_600_000); // every timer is overdue and has fired before the socket is read
    await t.socket.say(
      { id: publish, reply: { publishResult: { outcome: Outcome.DELIVERED } } },
      { id: presence, reply: { presencePage: { sessions: 1 } } },
    );
    expect(await published).toMatchObject({ outcome: Outcome.DELIVERED });
    expect(await page).toMatchObject({ sessions: 1 });
    await t.clock.advance(60_000);
  });

  it("does the same in the one turn by which a busy program is late", async () => {
    const t = await Scripted.connected();
    const page = t.client.presence("broadcast", { timeoutMs: 100 });
    await settled();
    const { id } = t.socket.last("presence");
    await t.clock.sleep(101);
    await t.socket.say({ id, reply: { presencePage: { sessions: 4 } } });
    expect(await page).toMatchObject({ sessions: 4 });
  });

  it("lets the deadline pass all the same if nothing is there", async () => {
    const t = await Scripted.connected();
    const page = t.client.presence("broadcast", { timeoutMs: 20_000 }).catch((thrown: unknown) => thrown);
    await settled();
    await t.clock.sleep(3_600_000);
    await t.clock.advance(1000);
    expect(await page).toMatchObject({ message: "no reply within 20000 ms" });
  });
});
