import { beforeEach, describe, expect, it } from "vitest";
import { Counters } from "../observe/counters.ts";
import { frameOfLength, messageFrame, textsOf, volatileFrame, wireMessages } from "../testing/outbound-frames.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { OutboundFrame } from "../wire/outbound-frame.ts";
import { FlushScheduler } from "./flush-scheduler.ts";
import type { FrameFormat } from "./join-frames.ts";
import { SendQueue, type WritableSocket } from "./send-queue.ts";

/** A socket whose kernel takes everything, or nothing until it is drained. */
class FakeSocket implements WritableSocket {
  writableLength = 0;
  isBlocked = false;
  readonly writes: Buffer[] = [];
  #waiting: (() => void)[] = [];

  write(data: Uint8Array, callback?: () => void): boolean {
    if (data.length > 0) this.writes.push(Buffer.from(data));
    if (this.isBlocked) this.writableLength += data.length;
    if (callback !== undefined) this.#waiting.push(callback);
    return true;
  }

  /** The kernel takes everything that waits; what is written in answer is taken or not, as before. */
  drain(isBlocked = false): void {
    this.isBlocked = isBlocked;
    this.writableLength = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }

  get stream(): Buffer {
    return Buffer.concat(this.writes);
  }
}

let clock: VirtualClock;
let socket: FakeSocket;
let counters: Counters;
let overflows: number;
let faults: number;
let queue: SendQueue;

function make(format: FrameFormat = "proto", maxBytes = 100_000): SendQueue {
  const scheduler = new FlushScheduler(clock, 0);
  return makeWith(scheduler, socket, format, maxBytes);
}

function makeWith(scheduler: FlushScheduler, to: FakeSocket, format: FrameFormat, maxBytes = 100_000): SendQueue {
  const onFault = () => faults++;
  return new SendQueue({
    socket: to,
    format,
    maxBytes,
    scheduler,
    clock,
    counters,
    onOverflow: () => overflows++,
    onFault,
  });
}

/** Blocks the socket with one message. */
function block(): void {
  socket.isBlocked = true;
  queue.enqueue(messageFrame("first"));
  clock.turn();
}

beforeEach(() => {
  clock = new VirtualClock();
  socket = new FakeSocket();
  counters = new Counters();
  overflows = 0;
  faults = 0;
  queue = make();
});

describe("SendQueue", () => {
  for (const format of ["proto", "json"] as const) {
    it(`writes what comes within a turn at once, in ${format}`, () => {
      queue = make(format);
      for (const text of ["a", "b", "c"]) queue.enqueue(messageFrame(text));
      expect(socket.writes.length).toBe(0);
      expect(queue.queuedBytes).toBeGreaterThan(0);
      clock.turn();
      expect(socket.writes.length).toBe(1);
      expect(wireMessages(socket.stream).length).toBe(1);
      expect(textsOf(socket.stream, format)).toEqual(["a", "b", "c"]);
      expect(counters).toMatchObject({ writes: 1, bytesOut: socket.stream.length });
      queue.enqueue(messageFrame("d"));
      clock.turn();
      expect(socket.writes.length).toBe(2);
    });
  }

  it("does not wait for the turn's end past 64 KiB", () => {
    queue.enqueue(frameOfLength(40_000));
    queue.enqueue(frameOfLength(40_000));
    expect(wireMessages(socket.stream).length).toBe(2);
    queue.enqueue(messageFrame("more"));
    clock.turn();
    expect(textsOf(socket.stream).at(-1)).toBe("more");
  });

  it("keeps what comes while the socket is blocked, and writes it in order when it drains", () => {
    block();
    const texts = Array.from({ length: 50 }, (_, i) => `${i}${"x".repeat(1_900)}`);
    for (const text of texts.slice(0, 40)) queue.enqueue(messageFrame(text));
    expect(socket.writes.length).toBe(1);
    expect(counters.sendQueueBytes).toBeGreaterThan(70_000);
    socket.drain(true);
    expect(socket.writes.length).toBe(2);
    for (const text of texts.slice(40)) queue.enqueue(messageFrame(text));
    socket.drain();
    expect(textsOf(socket.stream)).toEqual(["first", ...texts]);
    for (const { payload } of wireMessages(socket.stream)) expect(payload.length).toBeLessThan(65_536);
    expect(counters.sendQueueBytes).toBe(0);
    queue.enqueue(messageFrame("after"));
    clock.turn();
    expect(textsOf(socket.stream).at(-1)).toBe("after");
  });

  it("puts what was given before the block, and not yet written, in front", () => {
    socket.isBlocked = true;
    queue.enqueue(frameOfLength(40_000));
    queue.enqueue(frameOfLength(40_000)); // writes at once and blocks
    queue.enqueue(messageFrame("next"));
    clock.turn();
    queue.enqueue(messageFrame("last"));
    socket.drain();
    expect(textsOf(socket.stream).slice(2)).toEqual(["next", "last"]);
  });

  it("drops volatile frames at its bound, oldest first, and says how many before what follows", () => {
    block();
    const volatile = Array.from({ length: 30 }, (_, i) => volatileFrame(`${i} ${"x".repeat(4_950)}`));
    for (const frame of volatile) queue.enqueue(frame);
    queue.enqueue(messageFrame("live"));
    expect(queue.queuedBytes).toBeLessThanOrEqual(100_000);
    expect(overflows).toBe(0);
    socket.drain();
    const texts = textsOf(socket.stream).map((text) => text.split(" x")[0]);
    expect(counters.messagesDropped).toBeGreaterThan(9);
    const kept = 30 - counters.messagesDropped;
    expect(texts).toEqual([
      "first",
      `dropped ${counters.messagesDropped}`,
      ...Array.from({ length: kept }, (_, i) => `${30 - kept + i}`),
      "live",
    ]);
  });

  it("says dropped also when nothing else is left", () => {
    queue = make("proto", 10_000);
    block();
    queue.enqueue(volatileFrame("x".repeat(20_000)));
    socket.drain();
    expect(textsOf(socket.stream)).toEqual(["first", "dropped 1"]);
    expect(overflows).toBe(0);
  });

  it("does not count in dropped what a newer one of its key replaced", () => {
    block();
    for (let i = 0; i < 100; i++) queue.enqueue(volatileFrame(`${i}`, "k"));
    socket.drain();
    expect(textsOf(socket.stream)).toEqual(["first", "99"]);
    expect(counters).toMatchObject({ messagesConflated: 99, messagesDropped: 0 });
  });

  it("overflows once, when what may not be dropped is past its bound, and holds nothing then", () => {
    block();
    for (let i = 0; i < 60; i++) queue.enqueue(frameOfLength(2_000));
    expect(overflows).toBe(1);
    expect(counters.sendQueueBytes).toBe(0);
    queue.enqueue(messageFrame("ignored"));
    clock.turn();
    socket.drain();
    expect(textsOf(socket.stream)).toEqual(["first"]);
  });

  it("tells how long it has made no progress", () => {
    expect(queue.stalledMs(clock.monotonicMs())).toBe(0);
    block();
    clock.advance(300);
    expect(queue.stalledMs(clock.monotonicMs())).toBe(300);
    queue.enqueue(messageFrame("more"));
    socket.drain(true);
    clock.advance(10);
    expect(queue.stalledMs(clock.monotonicMs())).toBe(10);
    socket.drain();
    expect(queue.stalledMs(clock.monotonicMs())).toBe(0);
  });

  it("finishes when everything is with the kernel, and takes no more", () => {
    let finished = 0;
    queue.enqueue(messageFrame("a"));
    queue.finish(() => finished++);
    expect(finished).toBe(1);
    expect(textsOf(socket.stream)).toEqual(["a"]);
    queue.enqueue(messageFrame("b"));
    clock.turn();
    queue.finish(() => finished++);
    expect(finished).toBe(1);
    expect(textsOf(socket.stream)).toEqual(["a"]);
  });

  it("finishes a blocked queue after its backlog", () => {
    let finished = 0;
    block();
    queue.enqueue(messageFrame("a"));
    queue.finish(() => finished++);
    expect(finished).toBe(0);
    socket.drain(true);
    expect(finished).toBe(0);
    socket.drain();
    expect(finished).toBe(1);
    expect(textsOf(socket.stream)).toEqual(["first", "a"]);
  });

  it("forgets everything when it is destroyed", () => {
    let finished = 0;
    block();
    queue.enqueue(messageFrame("a"));
    queue.finish(() => finished++);
    queue.destroy();
    socket.drain();
    clock.turn();
    expect(finished).toBe(0);
    expect(counters.sendQueueBytes).toBe(0);
    expect(textsOf(socket.stream)).toEqual(["first"]);
  });

  it("closes when a frame cannot be written, and holds up nobody that is flushed with it", () => {
    const poison = () => new OutboundFrame(Uint8Array.of(0x0a, 0x7f)); // bytes that end too early have no JSON form
    const scheduler = new FlushScheduler(clock, 0);
    const others = [new FakeSocket(), new FakeSocket()] as const;
    const before = makeWith(scheduler, others[0], "json");
    const broken = makeWith(scheduler, socket, "json");
    const after = makeWith(scheduler, others[1], "proto");
    before.enqueue(messageFrame("a"));
    broken.enqueue(poison());
    after.enqueue(messageFrame("a"));
    clock.turn();
    expect([faults, overflows]).toEqual([1, 0]);
    broken.enqueue(poison());
    for (const queue of [before, after]) queue.enqueue(messageFrame("b"));
    clock.turn();
    expect(textsOf(others[0].stream, "json")).toEqual(["a", "b"]);
    expect(textsOf(others[1].stream)).toEqual(["a", "b"]);
    expect(faults).toBe(1);

    queue = make("json");
    block();
    queue.enqueue(poison());
    expect(faults).toBe(2);
    socket.drain();
    queue = make("json");
    queue.enqueue(poison());
    let finished = 0;
    queue.finish(() => finished++);
    expect([faults, finished]).toEqual([3, 1]);
  });

  it("tells when it is writable again, also when it is destroyed instead", async () => {
    await queue.writable();
    block();
    const order: string[] = [];
    const waiting = queue.writable().then(() => order.push("writable"));
    order.push("drain");
    socket.drain();
    await waiting;
    expect(order).toEqual(["drain", "writable"]);
    block();
    const again = queue.writable();
    queue.destroy();
    await again;
  });
});
