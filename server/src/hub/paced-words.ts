import type { PresenceWord } from "./presence-audience.ts";

/** The way to the members of an audience. */
export interface PresencePort<Member> {
  send(to: Iterable<Member>, word: PresenceWord): void;
  /** Whether a member can be sent a word now; true, too, for one whose connection has gone. */
  hasRoom(member: Member): boolean;
  /** Settles, not within this turn, when that is worth another look. */
  room(member: Member): Promise<void>;
}

interface Held {
  readonly words: PresenceWord[];
  /** How many of them are no part of a snapshot. */
  news: number;
}

/** News that are held for a member, at most. */
const maxNews = 64;

/**
 * Tells each member of an audience as fast as its connection takes it: a snapshot can be larger than what may wait there. Words that a member has no room
 * for are held, in order, the news behind the snapshot that is on its way (FF-PR-005); who has missed too many of them is behind. The words themselves are
 * shared by all for whom they are held.
 */
export class PacedWords<Member> {
  readonly #port: PresencePort<Member>;
  readonly #onBehind: (member: Member) => void;
  readonly #held = new Map<Member, Held>();

  /** @param onBehind nothing is held for the member any more; it needs a new snapshot (FF-PR-004) */
  constructor(port: PresencePort<Member>, onBehind: (member: Member) => void) {
    this.#port = port;
    this.#onBehind = onBehind;
  }

  send(to: Iterable<Member>, word: PresenceWord): void {
    const ready: Member[] = [];
    for (const member of to) {
      if (this.#held.has(member) || !this.#port.hasRoom(member)) this.#hold(member, word);
      else ready.push(member);
    }
    if (ready.length > 0) this.#port.send(ready, word);
  }

  /** Throws away what is held for a member. */
  drop(member: Member): void {
    this.#held.delete(member);
  }

  dropAll(): void {
    this.#held.clear();
  }

  #hold(member: Member, word: PresenceWord): void {
    const known = this.#held.get(member);
    const held = known ?? { words: [], news: 0 };
    if (word.case !== "snapshot" && ++held.news > maxNews) {
      this.drop(member);
      return this.#onBehind(member);
    }
    held.words.push(word);
    if (known !== undefined) return;
    this.#held.set(member, held);
    void this.#drain(member, held);
  }

  async #drain(member: Member, held: Held): Promise<void> {
    const isCurrent = () => this.#held.get(member) === held;
    while (isCurrent()) {
      await this.#port.room(member);
      while (isCurrent() && this.#port.hasRoom(member)) {
        const word = held.words.shift();
        if (word === undefined) this.drop(member);
        else this.#port.send([member], word);
      }
    }
  }
}
