import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testSeed } from "../../../test/test-seed.ts";
import { appendOf, type LogUnderTest, newChannel, policyWith } from "../testing/log-under-test.ts";
import type { LogPosition } from "./log-position.ts";
import type { LogChannel, LogItem, LogMessage, LogPolicy, MessageLog } from "./message-log.ts";

const policy: LogPolicy = policyWith({ maxMessages: 12, maxBytes: 700, maxAgeS: 60 });
const origins = 3;
const readers = 3;

interface ModelEntry {
  readonly offset: number;
  readonly tag: number;
  readonly origin: number;
  readonly seq: number;
  readonly size: number;
  readonly atMs: number;
  readonly isExpired: boolean;
  isDeleted: boolean;
}

/** What a log should hold, found out in the simplest way. */
class Model {
  epoch = 0;
  head = 0;
  tail = 0;
  entries: ModelEntry[] = [];
  /** By origin and seq, where it was stored first. */
  readonly positions = new Map<string, LogPosition>();

  trim(nowMs: number): void {
    const present = () => this.entries.filter(({ offset, isDeleted }) => offset > this.tail && !isDeleted);
    for (let kept = present(); kept.length > 0; kept = present()) {
      const [first] = kept as [ModelEntry];
      const bytes = kept.reduce((sum, { size }) => sum + size, 0) + this.#deletedBytesAfter(first.offset);
      const isKept =
        first.offset > this.head - policy.retention.maxMessages &&
        first.atMs > nowMs - policy.retention.maxAgeS * 1000 &&
        (kept.length === 1 || bytes <= policy.retention.maxBytes);
      if (isKept) return;
      this.tail = first.offset;
    }
  }

  /** Bytes of a message that was deleted count on, if a later one was appended before it was. */
  #deletedBytesAfter(offset: number): number {
    const last = this.entries.findLast(({ isDeleted }) => !isDeleted);
    const counted = this.entries.filter(
      (one) => one.isDeleted && one.offset > offset && one.offset < (last?.offset ?? 0),
    );
    return counted.filter((one) => this.countedDeletions.has(one.offset)).reduce((sum, { size }) => sum + size, 0);
  }

  /** Deleted when something newer was there already. */
  readonly countedDeletions = new Set<number>();

  /** What a reader behind `offset` should see, as {@link outlineOf} tells it. */
  behind(offset: number): string[] {
    return this.entries
      .filter((one) => one.offset > offset)
      .map((one) => `${one.offset}${one.isDeleted || one.isExpired ? "-" : `=${one.origin}/${one.seq}`}`);
  }
}

/** Items one offset at a time. @throws if the tags do not chain */
function outlineOf(items: readonly LogItem[], after: LogPosition): string[] {
  const seen: string[] = [];
  let { offset, tag } = after;
  for (const item of items) {
    if (item.previousTag !== tag) throw new Error(`the chain is broken behind ${offset}`);
    if (item.kind === "message") seen.push(`${item.offset}=${item.origin}/${item.seq}`);
    else for (let at = item.fromOffset; at <= item.toOffset; at++) seen.push(`${at}-`);
    const first = item.kind === "message" ? item.offset : item.fromOffset;
    if (first !== offset + 1) throw new Error(`${first} follows ${offset}`);
    offset = item.kind === "message" ? item.offset : item.toOffset;
    tag = item.tag;
  }
  return seen;
}

type Step =
  | { readonly kind: "append"; readonly origin: number; readonly size: number; readonly isExpired: boolean }
  | { readonly kind: "repeat"; readonly which: number }
  | { readonly kind: "read"; readonly reader: number; readonly limit: number }
  | { readonly kind: "resume"; readonly reader: number }
  | { readonly kind: "delete"; readonly which: number }
  | { readonly kind: "elapse"; readonly ms: number }
  | { readonly kind: "clear" }
  | { readonly kind: "backward"; readonly limit: number };

function steps(canElapse: boolean): fc.Arbitrary<Step[]> {
  const natural = (max: number) => fc.integer({ min: 0, max });
  const append = fc.record({
    kind: fc.constant("append" as const),
    origin: natural(origins - 1),
    size: fc.oneof(natural(60), fc.constant(900)),
    isExpired: fc.boolean(),
  });
  const limit = fc.integer({ min: 1, max: 6 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: append },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("repeat" as const), which: natural(1000) }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("read" as const), reader: natural(readers - 1), limit }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("resume" as const), reader: natural(readers - 1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), which: natural(1000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("backward" as const), limit }) },
    { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
    { weight: canElapse ? 2 : 0, arbitrary: fc.record({ kind: fc.constant("elapse" as const), ms: natural(40_000) }) },
  );
  return fc.array(step, { minLength: 5, maxLength: 60 });
}

/** One history: a channel, its model, and readers that follow it at their own pace. */
class History {
  readonly #under: LogUnderTest;
  readonly #log: MessageLog;
  readonly #channel: LogChannel = newChannel("histories");
  readonly #model = new Model();
  readonly #seqs = new Array<number>(origins).fill(0);
  readonly #positions: LogPosition[] = [];
  readonly counts = { gaps: 0, read: 0 };

  constructor(under: LogUnderTest) {
    this.#under = under;
    this.#log = under.log;
  }

  async run(history: readonly Step[]): Promise<void> {
    const { head } = await this.#log.ends(this.#channel, policy);
    this.#model.epoch = head.epoch;
    for (let reader = 0; reader < readers; reader++) this.#positions.push(head);
    for (const step of history) await this.#take(step);
    for (let reader = 0; reader < readers; reader++) await this.#readToEnd(reader);
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case "append":
        return await this.#append(step.origin, step.size, step.isExpired);
      case "repeat":
        return await this.#repeat(step.which);
      case "read":
        await this.#read(step.reader, step.limit);
        return;
      case "resume":
        this.#positions[step.reader] = (await this.#log.ends(this.#channel, policy)).tail;
        return;
      case "delete":
        return await this.#delete(step.which);
      case "elapse":
        return await this.#under.elapse(step.ms);
      case "clear":
        return await this.#clear();
      case "backward":
        return await this.#backward(step.limit);
    }
  }

  async #append(origin: number, size: number, isExpired: boolean): Promise<void> {
    const model = this.#model;
    const seq = (this.#seqs[origin] as number) + 1;
    this.#seqs[origin] = seq;
    const atMs = this.#under.nowMs();
    const expiresAtMs = isExpired ? atMs - 1 : 0;
    const body = new Uint8Array(size);
    const result = await this.#log.append(
      appendOf(this.#channel, seq, { policy, origin: BigInt(origin), body, expiresAtMs }),
    );
    if (result.outcome !== "stored") throw new Error(`not stored: ${result.reason}`);
    const { epoch, offset, tag } = result.position;
    expect({ epoch, offset, repeated: result.repeated }).toEqual({
      epoch: model.epoch,
      offset: model.head + 1,
      repeated: false,
    });
    model.head = offset;
    model.entries.push({ offset, tag, origin, seq, size, atMs, isExpired, isDeleted: false });
    model.positions.set(`${origin}/${seq}`, result.position);
    model.trim(this.#under.nowMs());
  }

  /** Repeats the newest append of an origin, the one whose position is known for certain. */
  async #repeat(which: number): Promise<void> {
    const origin = which % origins;
    const seq = this.#seqs[origin] as number;
    if (seq === 0) return;
    const result = await this.#log.append(appendOf(this.#channel, seq, { policy, origin: BigInt(origin) }));
    expect(result).toMatchObject({
      outcome: "stored",
      repeated: true,
      position: this.#model.positions.get(`${origin}/${seq}`),
    });
  }

  /** Reads a page behind a reader's position. @returns whether it was the last */
  async #read(reader: number, limit: number): Promise<boolean> {
    const model = this.#model;
    const from = this.#positions[reader] as LogPosition;
    const result = await this.#log.read({ ...this.#page(limit), direction: "forward", from });
    model.trim(this.#under.nowMs());
    expect([result.head.offset, result.tail.offset, result.head.epoch]).toEqual([model.head, model.tail, model.epoch]);
    if (result.verdict !== "ok") {
      const expected = from.epoch !== model.epoch ? "other-epoch" : "trimmed";
      expect(result.verdict).toBe(expected);
      if (expected === "trimmed") expect(from.offset).toBeLessThan(model.tail);
      this.counts.gaps++;
      this.#positions[reader] = result.tail;
      return false;
    }
    expect(from.epoch).toBe(model.epoch);
    expect(from.offset).toBeGreaterThanOrEqual(model.tail);
    const seen = outlineOf(result.items, from);
    const expected = model.behind(from.offset);
    expect(seen).toEqual(expected.slice(0, seen.length));
    if (result.atEnd) expect(seen).toHaveLength(expected.length);
    else expect(seen.length).toBeGreaterThan(0);
    this.counts.read += seen.length;
    this.#positions[reader] = result.next;
    return result.atEnd;
  }

  async #readToEnd(reader: number): Promise<void> {
    for (let pages = 0; !(await this.#read(reader, 5)); pages++) expect(pages).toBeLessThan(100);
    expect((this.#positions[reader] as LogPosition).offset).toBe(this.#model.head);
  }

  async #backward(limit: number): Promise<void> {
    const model = this.#model;
    const seen: number[] = [];
    let from: LogPosition | undefined;
    for (let atEnd = false; !atEnd; ) {
      const result = await this.#log.read({ ...this.#page(limit), direction: "backward", from });
      if (result.verdict !== "ok") throw new Error(`backward: ${result.verdict}`);
      seen.push(...(result.items as LogMessage[]).map(({ offset }) => offset));
      ({ atEnd, next: from } = result);
    }
    model.trim(this.#under.nowMs());
    const expected = model.entries.filter((one) => one.offset > model.tail && !one.isDeleted && !one.isExpired);
    expect(seen).toEqual(expected.map(({ offset }) => offset).toReversed());
  }

  async #delete(which: number): Promise<void> {
    const model = this.#model;
    model.trim(this.#under.nowMs());
    const kept = model.entries.filter(({ offset }) => offset > model.tail);
    const entry = kept[which % Math.max(1, kept.length)];
    if (entry === undefined) return;
    const { offset, tag } = entry;
    expect(await this.#log.deleteMessage(this.#channel, policy, { epoch: model.epoch, offset, tag })).toBe("ok");
    if (entry.isDeleted) return;
    entry.isDeleted = true;
    const last = model.entries.findLast(({ isDeleted }) => !isDeleted);
    if ((last?.offset ?? 0) > offset) model.countedDeletions.add(offset);
  }

  async #clear(): Promise<void> {
    const { epoch } = await this.#log.clear(this.#channel, policy);
    const model = this.#model;
    expect(epoch).toBeGreaterThan(model.epoch);
    Object.assign(model, { epoch, head: 0, tail: 0, entries: [] });
    model.countedDeletions.clear();
  }

  #page(limit: number) {
    return { channel: this.#channel, policy, limit, maxBytes: 1 << 20 };
  }
}

/** Random histories of a log against a model: every reader sees every offset once, in order, as message or skip, or is told of the gap. */
export function describeLogHistories(
  name: string,
  open: () => Promise<LogUnderTest>,
  runs: number,
  canElapse: boolean,
): void {
  describe(`histories of a message log: ${name}`, () => {
    let under: LogUnderTest;
    beforeAll(async () => {
      under = await open();
    }, 60_000);
    afterAll(async () => await under?.[Symbol.asyncDispose]());

    it(`${runs} random ones agree with the model`, { timeout: 300_000 }, async () => {
      const counts = { gaps: 0, read: 0 };
      const property = fc.asyncProperty(steps(canElapse), async (history) => {
        const one = new History(under);
        await one.run(history);
        counts.gaps += one.counts.gaps;
        counts.read += one.counts.read;
      });
      await fc.assert(property, { numRuns: runs, seed: testSeed });
      expect(counts.gaps).toBeGreaterThan(runs / 10); // so that gaps were put to the test too
      expect(counts.read).toBeGreaterThan(runs);
    });
  });
}
