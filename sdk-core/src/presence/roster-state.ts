import type { LeaveReason, PresenceDiff, PresenceEvent, PresenceMember, PresenceSnapshot } from "../wire/schema.ts";

/** What an event changed. */
export type RosterChange =
  | { type: "joined" | "updated"; member: PresenceMember }
  | { type: "left"; member: PresenceMember; reason: LeaveReason };

/** What became of an event. */
export interface RosterResult {
  changes: RosterChange[];
  /** Something is missing: a new snapshot has to be asked for. */
  resync: boolean;
}

interface Section {
  /** The number it stands at; undefined until its first snapshot is complete. */
  number: number | undefined;
  /** Members of a snapshot whose last page has not come. */
  pages: PresenceMember[] | undefined;
  /** Diffs that came before the snapshot they build on, by number. */
  early: Map<number, PresenceDiff>;
  /** It is of a connection that is gone, and counts only until a new snapshot comes. */
  stale: boolean;
}

interface Entry {
  member: PresenceMember;
  section: bigint;
}

const maxSections = 1024;
const maxEarlyDiffs = 256;

/**
 * Who is in one channel, put together from snapshots and numbered diffs of one section for each node. Pure: events in, changes out.
 */
export class RosterState {
  readonly members = new Map<bigint, Entry>();
  /** Numbers alone, where the channel is too large for lists. */
  counts: { sessions: number; players: number } | undefined;
  /** A whole snapshot has come since the last reset. */
  complete = false;
  readonly #sections = new Map<bigint, Section>();

  /** The server will send everything anew: what is known stays until then. */
  reset(): void {
    this.complete = false;
    for (const section of this.#sections.values()) {
      section.stale = true;
      section.pages = undefined;
      section.early.clear();
    }
  }

  apply(event: PresenceEvent): RosterResult {
    const result: RosterResult = { changes: [], resync: false };
    if (event.snapshot !== undefined) this.#snapshot(event.snapshot, result);
    else if (event.diff !== undefined) this.#diff(event.diff, result);
    else if (event.counts !== undefined) {
      this.counts = event.counts;
      this.complete = true;
      this.members.clear();
      this.#sections.clear();
    }
    return result;
  }

  #snapshot(page: PresenceSnapshot, result: RosterResult): void {
    const section = this.#section(page.section);
    if (section === undefined) return;
    if (page.first) section.pages = [];
    if (section.pages === undefined) return; // pages of a snapshot whose beginning was missed
    section.pages.push(...page.members);
    if (!page.last) return;
    const present = section.pages;
    section.pages = undefined;
    section.stale = false;
    section.number = page.number;
    this.complete = true;
    this.counts = undefined;
    const origins = new Set(present.map((member) => member.origin));
    for (const [origin, entry] of this.members) {
      const stale = this.#sections.get(entry.section)?.stale;
      if ((entry.section === page.section || stale) && !origins.has(origin)) this.#remove(origin, entry, 0, result);
    }
    for (const member of present) this.#put(member, page.section, result);
    for (const [id, other] of this.#sections) if (other.stale) this.#sections.delete(id);
    this.#applyEarly(page.section, section, result);
  }

  #diff(diff: PresenceDiff, result: RosterResult): void {
    const section = this.#section(diff.section);
    if (section === undefined) return;
    const { number } = section;
    const waiting = number === undefined || section.stale || section.pages !== undefined;
    if (!waiting && diff.number <= number) return;
    if (!waiting && diff.number === number + 1) {
      this.#applyDiff(section, diff, result);
      return;
    }
    if (section.early.size >= maxEarlyDiffs) section.early.clear();
    // A hole shows once: the first diff behind it asks, those after it wait for the same snapshot.
    result.resync = !waiting && section.early.size === 0;
    section.early.set(diff.number, diff);
  }

  #applyEarly(id: bigint, section: Section, result: RosterResult): void {
    const early = [...section.early.values()].sort((a, b) => a.number - b.number);
    section.early.clear();
    for (const diff of early) {
      if (diff.number <= (section.number ?? 0)) continue;
      if (diff.number === (section.number ?? 0) + 1) this.#applyDiff(section, diff, result);
      else {
        result.resync ||= section.early.size === 0;
        this.#sections.get(id)?.early.set(diff.number, diff);
      }
    }
  }

  #applyDiff(section: Section, diff: PresenceDiff, result: RosterResult): void {
    section.number = diff.number;
    for (const member of [...diff.joined, ...diff.updated]) this.#put(member, diff.section, result);
    for (const leave of diff.left) {
      const entry = this.members.get(leave.origin);
      // A late leave of a former node does not remove the entry of a newer one.
      if (entry?.section === diff.section && entry.member.generation <= leave.generation) {
        this.#remove(leave.origin, entry, leave.reason, result);
      }
    }
  }

  #put(member: PresenceMember, section: bigint, result: RosterResult): void {
    const known = this.members.get(member.origin);
    const isOlder = known !== undefined && known.member.generation > member.generation;
    // What this section or a connection of before has brought is forgotten, of whatever generation it is.
    if (isOlder && known.section !== section && !this.#sections.get(known.section)?.stale) return;
    this.members.set(member.origin, { member, section });
    if (known === undefined) result.changes.push({ type: "joined", member });
    else if (!sameData(known.member, member)) result.changes.push({ type: "updated", member });
  }

  #remove(origin: bigint, entry: Entry, reason: LeaveReason, result: RosterResult): void {
    this.members.delete(origin);
    result.changes.push({ type: "left", member: entry.member, reason });
  }

  #section(id: bigint): Section | undefined {
    let section = this.#sections.get(id);
    if (section === undefined && this.#sections.size < maxSections) {
      section = { number: undefined, pages: undefined, early: new Map(), stale: false };
      this.#sections.set(id, section);
    }
    return section;
  }
}

function sameData(a: PresenceMember, b: PresenceMember): boolean {
  const [x, y] = [a.data, b.data];
  if (x === undefined || y === undefined) return x === y;
  if (x.type !== y.type || x.text !== y.text || x.json !== y.json) return false;
  const [p, q] = [x.binary ?? none, y.binary ?? none];
  return p.length === q.length && p.every((byte, i) => byte === q[i]);
}

const none = new Uint8Array();
