import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameOfLength, messageFrame, volatileFrame } from "../testing/outbound-frames.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { Backlog } from "./backlog.ts";
import { maxJoinedBytes } from "./join-frames.ts";

function drained(backlog: Backlog, nowMs = 0): OutboundFrame[] {
  const all: OutboundFrame[] = [];
  for (let taken = backlog.take(nowMs, maxJoinedBytes); taken.length > 0; taken = backlog.take(nowMs, maxJoinedBytes))
    all.push(...taken);
  return all;
}

describe("Backlog", () => {
  it("gives frames back in their order, in pieces of less than 64 KiB or one frame", () => {
    const backlog = new Backlog("proto");
    const frames = [30_000, 30_000, 5_535, 1_000, 100_000, 40].map((length) => frameOfLength(length));
    for (const frame of frames) backlog.push(frame);
    expect(backlog.byteLength).toBe(166_575);
    const pieces: number[] = [];
    for (let taken = backlog.take(0, maxJoinedBytes); taken.length > 0; taken = backlog.take(0, maxJoinedBytes)) {
      pieces.push(taken.reduce((sum, { bytes }) => sum + bytes.length, 0));
    }
    expect(pieces).toEqual([65_535, 1_000, 100_000, 40]);
    expect(backlog.isEmpty).toBe(true);
  });

  it("puts the newest of a key at the end, and counts what it replaced", () => {
    const backlog = new Backlog("proto");
    const [a1, b1, live, a2] = [
      volatileFrame("a1", "a"),
      volatileFrame("b1", "b"),
      messageFrame("l"),
      volatileFrame("a2", "a"),
    ];
    for (const frame of [a1, b1, live, a2]) backlog.push(frame);
    expect(backlog.byteLength).toBe(b1.bytes.length + live.bytes.length + a2.bytes.length);
    expect(drained(backlog)).toEqual([b1, live, a2]);
    expect(backlog.counts).toEqual({ dropped: 0, conflated: 1, expired: 0 });
    backlog.push(a1);
    expect(drained(backlog)).toEqual([a1]);
    expect(backlog.counts.conflated).toBe(1);
  });

  it("throws volatile frames away, oldest first, and never others", () => {
    const backlog = new Backlog("proto");
    const live = frameOfLength(100);
    const volatile = Array.from({ length: 4 }, () => frameOfLength(100, { volatile: { conflation: undefined } }));
    for (const frame of [volatile[0]!, live, ...volatile.slice(1)]) backlog.push(frame);
    expect(backlog.shedVolatile(300)).toBe(true);
    expect(drained(backlog)).toEqual([live, volatile[2], volatile[3]]);
    for (const frame of [live, volatile[0]!, live]) backlog.push(frame);
    expect(backlog.shedVolatile(199)).toBe(false);
    expect(drained(backlog)).toEqual([live, live]);
    expect(backlog.counts.dropped).toBe(3);
  });

  it("throws away what has expired, or gives what stands for it", () => {
    const backlog = new Backlog("proto");
    const stands = messageFrame("skip");
    backlog.push(messageFrame("old", { expiresAtMs: 10 }));
    backlog.push(messageFrame("old", { expiresAtMs: 10, substitute: stands }));
    const good = messageFrame("good", { expiresAtMs: 11 });
    backlog.push(good);
    expect(drained(backlog, 10)).toEqual([stands, good]);
    expect(backlog.counts.expired).toBe(2);
    expect(backlog.byteLength).toBe(0);
  });

  it("takes no more space for a key that is replaced a million times than for a few", () => {
    const backlog = new Backlog("proto");
    backlog.push(messageFrame("first"));
    const frame = volatileFrame("x", "k");
    for (let i = 0; i < 1_000_000; i++) backlog.push(frame);
    expect(backlog.slots).toBeLessThan(1_000);
    expect(drained(backlog).length).toBe(2);
  });

  it("does what a plain list would do, whatever the sequence", () => {
    interface Entry {
      readonly frame: OutboundFrame;
      readonly key: string | undefined;
      readonly volatile: boolean;
    }
    const push = fc.record({
      kind: fc.constant("push" as const),
      key: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
      volatile: fc.boolean(),
      length: fc.integer({ min: 0, max: 20_000 }),
    });
    const shed = fc.record({ kind: fc.constant("shed" as const), maxBytes: fc.integer({ min: 0, max: 100_000 }) });
    const take = fc.record({ kind: fc.constant("take" as const) });
    const steps = fc.array(fc.oneof({ weight: 8, arbitrary: push }, shed, take), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (sequence) => {
        const backlog = new Backlog("proto");
        let model: Entry[] = [];
        const bytes = () => model.reduce((sum, { frame }) => sum + frame.bytes.length, 0);
        for (const step of sequence) {
          if (step.kind === "push") {
            const traits = step.volatile ? { volatile: { conflation: step.key } } : {};
            const frame = messageFrame("x".repeat(step.length), traits);
            const key = step.volatile ? step.key : undefined;
            if (key !== undefined) model = model.filter((entry) => entry.key !== key);
            model.push({ frame, key, volatile: step.volatile });
            backlog.push(frame);
          } else if (step.kind === "shed") {
            while (bytes() > step.maxBytes) {
              const index = model.findIndex((entry) => entry.volatile);
              if (index === -1) break;
              model.splice(index, 1);
            }
            expect(backlog.shedVolatile(step.maxBytes)).toBe(bytes() <= step.maxBytes);
          } else {
            const taken = backlog.take(0, maxJoinedBytes);
            expect(taken).toEqual(model.splice(0, taken.length).map(({ frame }) => frame));
            if (model.length > 0) expect(taken.length).toBeGreaterThan(0);
          }
          expect(backlog.byteLength).toBe(bytes());
        }
        expect(drained(backlog)).toEqual(model.map(({ frame }) => frame));
      }),
      { numRuns: 150, seed: 42 },
    );
  });
});
