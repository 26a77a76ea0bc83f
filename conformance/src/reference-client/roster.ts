import { equals } from "@bufbuild/protobuf";
import {
  LeaveReason,
  type PresenceCounts,
  type PresenceDiff,
  type PresenceEvent,
  type PresenceMember,
  PresenceMemberSchema,
  type PresenceSnapshot,
} from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";

interface Section {
  /** Undefined before the first snapshot, and after a hole. */
  number: bigint | undefined;
  members: Map<bigint, PresenceMember>;
  /** Between the first and the last page of a snapshot. */
  pages: PresenceMember[] | undefined;
  early: PresenceDiff[];
}

/** What changed in a list. */
export type RosterChange =
  | { readonly kind: "joined" | "updated"; readonly member: PresenceMember }
  | { readonly kind: "left"; readonly member: PresenceMember; readonly reason: LeaveReason };

const mostEarly = 256;

/** Who is in one channel, by sections: section 14 of the protocol. */
export class Roster {
  counts: PresenceCounts | undefined;
  readonly #breaks: ClientBreaks;
  #sections = new Map<bigint, Section>();
  /** Shown, as out of date, until the first snapshot. */
  #former: Section[] = [];

  constructor(breaks: ClientBreaks) {
    this.#breaks = breaks;
  }

  /** Of several entries of one session the one with the highest generation. */
  get members(): PresenceMember[] {
    const shown = new Map<bigint, PresenceMember>();
    for (const { members } of [...this.#former, ...this.#sections.values()]) {
      for (const member of members.values()) {
        const other = shown.get(member.origin);
        const isBehind = other !== undefined && other.generation > member.generation;
        if (!isBehind) shown.set(member.origin, member);
      }
    }
    return [...shown.values()];
  }

  /** The server sends every section anew. */
  forget(): void {
    if (this.#breaks.has("sections-kept")) return;
    this.#former = [...this.#former, ...this.#sections.values()];
    this.#sections = new Map();
  }

  apply({ event }: PresenceEvent): { changes: RosterChange[]; outdated: boolean } {
    const before = this.members;
    const reasons = new Map<bigint, LeaveReason>();
    let outdated = false;
    if (event.case === "snapshot") this.#snapshot(event.value, reasons);
    if (event.case === "diff") outdated = this.#diff(event.value, reasons);
    if (event.case === "counts") {
      this.counts = event.value;
      if (!this.#breaks.has("lists-after-counts")) this.#sections.clear();
      this.#former = [];
      return { changes: [], outdated };
    }
    return { changes: changesBetween(before, this.members, reasons), outdated };
  }

  #section(id: bigint): Section {
    const known = this.#sections.get(id);
    if (known !== undefined) return known;
    const section = { number: undefined, members: new Map(), pages: undefined, early: [] };
    this.#sections.set(id, section);
    return section;
  }

  #snapshot({ section: id, number, members, first, last }: PresenceSnapshot, reasons: Map<bigint, LeaveReason>): void {
    const section = this.#section(id);
    if (first) section.pages = [];
    section.pages?.push(...members);
    if (!last || section.pages === undefined) return;
    if (!this.#breaks.has("snapshots-add")) section.members.clear();
    for (const member of section.pages) this.#put(section, member);
    section.pages = undefined;
    section.number = number;
    this.counts = undefined;
    this.#former = [];
    const early = section.early.sort((a, b) => Number(a.number - b.number));
    section.early = [];
    if (this.#breaks.has("early-diffs-dropped")) return;
    for (const diff of early) this.#diff(diff, reasons);
  }

  /** Whether the section is out of date now. */
  #diff(diff: PresenceDiff, reasons: Map<bigint, LeaveReason>): boolean {
    const section = this.#section(diff.section);
    const isUnknown = section.number === undefined || section.pages !== undefined;
    if (isUnknown && !this.#breaks.has("diffs-without-snapshot")) {
      if (section.early.length < mostEarly) section.early.push(diff);
      return false;
    }
    const last = section.number ?? diff.number - 1n;
    if (diff.number <= last && !this.#breaks.has("old-diffs-applied")) return false;
    if (diff.number > last + 1n && !this.#breaks.has("holes-in-diffs-ignored")) {
      section.number = undefined;
      section.early = [diff];
      return true;
    }
    section.number = diff.number;
    for (const member of [...diff.joined, ...diff.updated]) this.#put(section, member);
    for (const { origin, generation, reason } of diff.left) {
      reasons.set(origin, reason);
      for (const { members } of [...this.#sections.values(), ...this.#former]) {
        const entry = members.get(origin);
        if (entry === undefined) continue;
        if (entry.generation <= generation || this.#breaks.has("any-leave-removes")) members.delete(origin);
      }
    }
    return false;
  }

  #put(section: Section, member: PresenceMember): void {
    if (this.#breaks.has("newest-entry-shown")) {
      for (const { members } of this.#sections.values()) members.delete(member.origin);
    }
    section.members.set(member.origin, member);
  }
}

function changesBetween(
  before: readonly PresenceMember[],
  after: readonly PresenceMember[],
  reasons: ReadonlyMap<bigint, LeaveReason>,
): RosterChange[] {
  const old = new Map(before.map((member) => [member.origin, member]));
  const now = new Set(after.map(({ origin }) => origin));
  const changes: RosterChange[] = [];
  for (const member of after) {
    const former = old.get(member.origin);
    if (former === undefined) changes.push({ kind: "joined", member });
    else if (!equals(PresenceMemberSchema, former, member)) changes.push({ kind: "updated", member });
  }
  for (const member of before) {
    if (now.has(member.origin)) continue;
    changes.push({ kind: "left", member, reason: reasons.get(member.origin) ?? LeaveReason.UNSPECIFIED });
  }
  return changes;
}
