import { LeaveReason, type PresenceEvent, type PresenceMember } from "@fanfare/proto/v1";
import type { PresenceSection } from "./presence-section.ts";

interface Section {
  /** Origins of those it has brought into the view; undefined: its snapshot has not come, or it tells counts alone. */
  members: Map<bigint, PresenceMember> | undefined;
  number: bigint;
  loading: Map<bigint, PresenceMember>;
  /** Of a section that tells counts alone. */
  counts: { readonly sessions: number; readonly players: number } | undefined;
}

/**
 * The sections of a channel's presence that other nodes have, put together with this node's own into one view. Bounded by what those nodes tell: past
 * their bound they tell counts alone.
 */
export class RemoteSections {
  readonly #sections = new Map<bigint, Section>();
  readonly #view: PresenceSection;

  constructor(view: PresenceSection) {
    this.#view = view;
  }

  /** Nodes that have told something. */
  get nodes(): Iterable<bigint> {
    return this.#sections.keys();
  }

  /** Whether a node has told all that it has. */
  isKnown(node: bigint): boolean {
    const section = this.#sections.get(node);
    return section !== undefined && (section.members !== undefined || section.counts !== undefined);
  }

  /** What is present on nodes that tell counts alone, and is not in the view. A player on two of them counts twice. */
  get hidden(): { sessions: number; players: number } {
    let sessions = 0;
    let players = 0;
    for (const { counts } of this.#sections.values()) {
      sessions += counts?.sessions ?? 0;
      players += counts?.players ?? 0;
    }
    return { sessions, players };
  }

  /** Takes over a word of a node into the view. */
  apply(node: bigint, { event }: PresenceEvent): void {
    const section = this.#sections.get(node) ?? newSection();
    this.#sections.set(node, section);
    switch (event.case) {
      case "counts":
        this.#replace(section, new Map(), LeaveReason.LEFT);
        section.members = undefined;
        section.counts = { sessions: event.value.sessions, players: event.value.players };
        return;
      case "snapshot": {
        const { first, last, members, number } = event.value;
        if (first) section.loading = new Map();
        for (const member of members) section.loading.set(member.origin, member);
        if (!last) return;
        this.#replace(section, section.loading, LeaveReason.LEFT);
        section.loading = new Map();
        section.number = number;
        section.counts = undefined;
        return;
      }
      case "diff": {
        const { number, joined, updated, left } = event.value;
        // Words of one node come in order over its link: a diff without its snapshot is one that the snapshot has.
        if (section.members === undefined || number !== section.number + 1n) return;
        section.number = number;
        for (const member of [...joined, ...updated]) {
          section.members.set(member.origin, member);
          this.#view.put(member);
        }
        for (const { origin, generation, reason } of left) {
          section.members.delete(origin);
          this.#view.remove(origin, generation, reason);
        }
      }
    }
  }

  /** A node is gone for good: its members leave. */
  forget(node: bigint): void {
    const section = this.#sections.get(node);
    if (section !== undefined) this.#replace(section, new Map(), LeaveReason.NODE_LOST);
    this.#sections.delete(node);
  }

  /** Nobody here watches any more: what others have is not known from now on. */
  clear(): void {
    for (const section of this.#sections.values()) this.#replace(section, new Map(), LeaveReason.LEFT);
    this.#sections.clear();
  }

  #replace(section: Section, members: Map<bigint, PresenceMember>, reason: LeaveReason): void {
    for (const { origin, generation } of section.members?.values() ?? []) {
      if (!members.has(origin)) this.#view.remove(origin, generation, reason);
    }
    for (const member of members.values()) this.#view.put(member);
    section.members = members;
  }
}

function newSection(): Section {
  return { members: undefined, number: 0n, loading: new Map(), counts: undefined };
}
