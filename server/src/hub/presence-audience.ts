import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PresenceEventSchema } from "@fanfare/proto/v1";
import { PacedWords, type PresencePort } from "./paced-words.ts";

/** One word about a channel's presence. */
export type PresenceWord = NonNullable<MessageInitShape<typeof PresenceEventSchema>["event"]>;

/** What is told at one tick. */
export interface PresenceNews<Member> {
  /** Whether a newcomer stays one, because all there is may not be known yet. */
  readonly waits: (newcomer: Member) => boolean;
  /** Lists are told; else counts alone. */
  readonly tellsMembers: boolean;
  readonly counts: { readonly sessions: number; readonly players: number };
  readonly countsChanged: boolean;
  /** What has changed since the last tick. */
  readonly diffs: readonly PresenceWord[];
  /** All there is, made when somebody needs it. */
  readonly snapshots: () => readonly PresenceWord[];
}

/**
 * Who is told of a channel's presence: watchers, who have the list and get diffs, and newcomers, who get a snapshot at the next tick and are
 * watchers from then on. After a time of counts alone everybody is a newcomer again.
 */
export class PresenceAudience<Member> {
  readonly #watchers = new Set<Member>();
  readonly #newcomers = new Set<Member>();
  readonly #words: PacedWords<Member>;
  #toldCounts = false;

  constructor(port: PresencePort<Member>) {
    this.#words = new PacedWords(port, (member) => this.add(member));
  }

  get size(): number {
    return this.#watchers.size + this.#newcomers.size;
  }

  /** Gets a snapshot at the next tick; again, another one. */
  add(member: Member): void {
    this.#words.drop(member);
    this.#watchers.delete(member);
    this.#newcomers.add(member);
  }

  delete(member: Member): void {
    this.#words.drop(member);
    this.#watchers.delete(member);
    this.#newcomers.delete(member);
  }

  /** Nobody is told anything any more. */
  dispose(): void {
    this.#words.dropAll();
  }

  /** A tick. */
  tell({ waits, tellsMembers, counts, countsChanged, diffs, snapshots }: PresenceNews<Member>): void {
    if (!tellsMembers) {
      this.#toldCounts = true;
      if (countsChanged && this.#watchers.size > 0) this.#words.send(this.#watchers, { case: "counts", value: counts });
      this.#welcome(waits, () => [{ case: "counts", value: counts }]);
    } else {
      if (this.#toldCounts) this.#everybodyAnew();
      else if (this.#watchers.size > 0) for (const diff of diffs) this.#words.send(this.#watchers, diff);
      this.#welcome(waits, snapshots);
    }
  }

  #welcome(waits: (newcomer: Member) => boolean, words: () => readonly PresenceWord[]): void {
    const ready = [...this.#newcomers].filter((newcomer) => !waits(newcomer));
    if (ready.length === 0) return;
    for (const word of words()) this.#words.send(ready, word);
    for (const member of ready) {
      this.#newcomers.delete(member);
      this.#watchers.add(member);
    }
  }

  #everybodyAnew(): void {
    this.#toldCounts = false;
    for (const member of this.#watchers) this.add(member);
  }
}
