import { readStamp } from "./stamp.ts";

/** Members whose messages are looked into, spread over the order in which a contender writes to them. */
const sampledMembers = 8;

/** What a fleet's members received since the round began. */
export class Deliveries {
  readonly members: number;
  /** Messages, of all members together. */
  total = 0;
  /** WebSocket messages that carried them. */
  webSocketMessages = 0;
  /** Bytes of those WebSocket messages, headers left out. */
  bytes = 0;
  /** What went wrong: closes, errors, messages out of order. A round with any of these fails. */
  readonly problems: string[] = [];
  readonly #received: Uint32Array;
  readonly #isSampled: Uint8Array;
  readonly #lastCounters = new Map<number, number>();
  #latenciesMs: number[] = [];

  constructor(members: number, publishers: number) {
    this.members = members;
    this.#received = new Uint32Array(members);
    this.#isSampled = new Uint8Array(members);
    for (let i = 0; i < sampledMembers; i++) {
      const member = Math.round((i * (members - 1)) / (sampledMembers - 1));
      this.#isSampled[member] = 1;
      for (let publisher = 0; publisher < publishers; publisher++)
        this.#lastCounters.set(member * 65_536 + publisher, -1);
    }
  }

  isSampled(member: number): boolean {
    return this.#isSampled[member] === 1;
  }

  /** Counts one message of one member. */
  count(member: number): void {
    this.#received[member]!++;
    this.total++;
  }

  /** Looks into the payload of a sampled member's message: its latency, and whether it is the next of its publisher. */
  sample(member: number, bytes: Uint8Array, offset: number): void {
    const stamp = readStamp(bytes, offset);
    this.#latenciesMs.push(performance.now() - stamp.sentAtMs);
    const key = member * 65_536 + stamp.publisher;
    const last = this.#lastCounters.get(key);
    if (last === undefined || stamp.counter !== last + 1) {
      this.problem(`member ${member} got message ${stamp.counter} of publisher ${stamp.publisher} after ${last}`);
    }
    this.#lastCounters.set(key, stamp.counter);
  }

  /** Keeps the first 20. */
  problem(text: string): void {
    if (this.problems.length < 20) this.problems.push(text);
  }

  /** Members that did not receive exactly `expected` messages. */
  membersOtherThan(expected: number): number {
    return this.#received.reduce((wrong, received) => (received === expected ? wrong : wrong + 1), 0);
  }

  /** Begins a new round. */
  reset(): void {
    this.total = 0;
    this.webSocketMessages = 0;
    this.bytes = 0;
    this.#received.fill(0);
    this.#latenciesMs = [];
  }

  /** Publish to receive at the sampled members, in milliseconds, in no order. */
  get latenciesMs(): readonly number[] {
    return this.#latenciesMs;
  }
}
