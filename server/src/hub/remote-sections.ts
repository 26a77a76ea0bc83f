import { create } from "@bufbuild/protobuf";
import { LeaveReason, type PresenceEvent, PresenceLeaveSchema, type PresenceMember } from "@fanfare/proto/v1";
import type { PresenceWord } from "./presence-audience.ts";
import { diffWords, snapshotWords } from "./presence-paging.ts";

interface Section {
  /** Undefined: the other node tells counts alone, or its snapshot has not come yet. */
  members: Map<bigint, PresenceMember> | undefined;
  number: bigint;
  loading: Map<bigint, PresenceMember>;
  counts: { sessions: number; players: number };
}

/** The sections of a channel's presence that other nodes have, as they tell them. Bounded by what those nodes tell. */
export class RemoteSections {
  readonly #sections = new Map<bigint, Section>();

  /** Nodes that have told something. */
  get nodes(): Iterable<bigint> {
    return this.#sections.keys();
  }

  /** Sessions in all of them, and players, of whom one with sessions on two nodes counts twice. */
  counts(): { sessions: number; players: number } {
    let sessions = 0;
    let players = 0;
    for (const { counts } of this.#sections.values()) {
      sessions += counts.sessions;
      players += counts.players;
    }
    return { sessions, players };
  }

  /** Takes over a word of a node. @returns whether it is news for those who have the list */
  apply(node: bigint, { event }: PresenceEvent): boolean {
    const section = this.#sections.get(node) ?? newSection();
    this.#sections.set(node, section);
    switch (event.case) {
      case "counts":
        section.members = undefined;
        section.counts = { sessions: event.value.sessions, players: event.value.players };
        return false;
      case "snapshot": {
        const { first, last, members, number } = event.value;
        if (first) section.loading = new Map();
        for (const member of members) section.loading.set(member.origin, member);
        if (last) {
          section.members = section.loading;
          section.loading = new Map();
          section.number = number;
          count(section);
        }
        return true;
      }
      case "diff": {
        const { number, joined, updated, left } = event.value;
        // Words of one node come in order over its link: a diff without its snapshot is one that the snapshot has.
        if (section.members === undefined || number !== section.number + 1n) return false;
        section.number = number;
        for (const member of [...joined, ...updated]) section.members.set(member.origin, member);
        for (const { origin } of left) section.members.delete(origin);
        count(section);
        return true;
      }
      default:
        return false;
    }
  }

  /** The sections as they stand. */
  *snapshots(): IterableIterator<PresenceWord> {
    for (const [node, { members, number }] of this.#sections) {
      if (members !== undefined) yield* snapshotWords(node, number, members.values());
    }
  }

  /** A node is gone for good: its section's members leave. */
  forget(node: bigint): PresenceWord[] {
    const section = this.#sections.get(node);
    this.#sections.delete(node);
    const members = [...(section?.members?.values() ?? [])];
    const changes = members.map(({ origin, generation, playerId }) => {
      const reason = LeaveReason.NODE_LOST;
      return { kind: "left" as const, leave: create(PresenceLeaveSchema, { origin, generation, playerId, reason }) };
    });
    return diffWords(node, section?.number ?? 0n, changes);
  }

  /** Nobody here watches any more. */
  clear(): void {
    this.#sections.clear();
  }
}

function newSection(): Section {
  return { members: undefined, number: 0n, loading: new Map(), counts: { sessions: 0, players: 0 } };
}

function count(section: Section): void {
  const { members } = section;
  if (members === undefined) return;
  const players = new Set([...members.values()].map(({ playerId }) => playerId));
  section.counts = { sessions: members.size, players: players.size };
}
