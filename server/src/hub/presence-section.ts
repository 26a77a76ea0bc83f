import { create } from "@bufbuild/protobuf";
import { type LeaveReason, type PresenceLeave, PresenceLeaveSchema, type PresenceMember } from "@fanfare/proto/v1";
import type { PresenceWord } from "./presence-audience.ts";
import { diffWords, maxFrameBytes, type PresenceChange, snapshotWords } from "./presence-paging.ts";

/**
 * A numbered list of who is present, and what has changed in it since the last tick. Of two entries of one session the one with the higher
 * generation counts.
 */
export class PresenceSection {
  readonly #id: bigint;
  readonly #members = new Map<bigint, PresenceMember>();
  readonly #players = new Map<string, number>();
  readonly #joined = new Map<bigint, PresenceMember>();
  readonly #updated = new Map<bigint, PresenceMember>();
  readonly #left = new Map<bigint, PresenceLeave>();
  /** About how many bytes one word has at the most. */
  frameBytes = maxFrameBytes;
  #number = 0n;

  constructor(id: bigint) {
    this.#id = id;
  }

  get members(): ReadonlyMap<bigint, PresenceMember> {
    return this.#members;
  }

  get players(): Iterable<string> {
    return this.#players.keys();
  }

  get counts(): { sessions: number; players: number } {
    return { sessions: this.#members.size, players: this.#players.size };
  }

  /** Adds a member, or replaces its entry if that is not of a higher generation. False: nothing has changed. */
  put(member: PresenceMember): boolean {
    const { origin, playerId } = member;
    const known = this.#members.get(origin);
    if (known !== undefined && known.generation > member.generation) return false;
    this.#members.set(origin, member);
    if (known === undefined) this.#players.set(playerId, (this.#players.get(playerId) ?? 0) + 1);
    // A diff is applied in the order joined, updated, left: who left and came back within one tick has changed, and is not told as gone.
    if (known !== undefined || this.#left.delete(origin)) {
      if (this.#joined.has(origin)) this.#joined.set(origin, member);
      else this.#updated.set(origin, member);
    } else this.#joined.set(origin, member);
    return true;
  }

  /** Removes a member unless its entry is of a higher generation. False: nothing has changed. */
  remove(origin: bigint, generation: number, reason: LeaveReason): boolean {
    const member = this.#members.get(origin);
    if (member === undefined || member.generation > generation) return false;
    this.#members.delete(origin);
    const { playerId } = member;
    const count = (this.#players.get(playerId) ?? 1) - 1;
    if (count === 0) this.#players.delete(playerId);
    else this.#players.set(playerId, count);
    this.#updated.delete(origin);
    // Who came and went within one tick was never told; telling the leave too would be harmless but useless.
    if (!this.#joined.delete(origin)) {
      const leave = { origin, generation: member.generation, playerId, reason };
      this.#left.set(origin, create(PresenceLeaveSchema, leave));
    }
    return true;
  }

  /** What has changed since this was asked for last, numbered. */
  takeDiffs(): PresenceWord[] {
    const changes: PresenceChange[] = [
      ...[...this.#joined.values()].map((member) => ({ kind: "joined" as const, member })),
      ...[...this.#updated.values()].map((member) => ({ kind: "updated" as const, member })),
      ...[...this.#left.values()].map((leave) => ({ kind: "left" as const, leave })),
    ];
    const words = diffWords(this.#id, this.#number, changes, this.frameBytes);
    this.#number += BigInt(words.length);
    this.#joined.clear();
    this.#updated.clear();
    this.#left.clear();
    return words;
  }

  /** All there is, once the changes were taken. */
  snapshots(): PresenceWord[] {
    return snapshotWords(this.#id, this.#number, this.#members.values(), this.frameBytes);
  }
}
