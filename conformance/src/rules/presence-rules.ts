import type { PresenceDiff, PresenceEvent, PresenceSnapshot, ServerFrame } from "@fanfare/proto/v1";
import { channelName } from "./delivery-rules.ts";
import { broken, type ServerRule, type Violation } from "./rule.ts";

interface Section {
  number: bigint;
  /** Between the first and the last page of a snapshot. */
  paging: boolean;
}

/** Sections begin with a snapshot, and their diffs are numbered one by one. */
export function presenceRules(): ServerRule {
  const sections = new Map<string, Section>();

  function snapshot(key: string, { number, first, last }: PresenceSnapshot): Violation | undefined {
    const section = sections.get(key);
    if (!first && section?.paging !== true) return broken("FF-PR-005", "a page of a snapshot came without its first");
    if (!first && section?.number !== number)
      return broken("FF-PR-005", "pages of one snapshot have different numbers");
    sections.set(key, { number, paging: !last });
    return undefined;
  }

  function diff(key: string, { number }: PresenceDiff): Violation | undefined {
    const section = sections.get(key);
    if (section === undefined) return undefined; // the client keeps it until the snapshot
    if (section.paging) return broken("FF-PR-005", "a diff came between the pages of its section's snapshot");
    if (number !== section.number + 1n) {
      return broken("FF-PR-003", `diff ${number} came after ${section.number} of its section`);
    }
    section.number = number;
    return undefined;
  }

  function event({ channel, event: one }: PresenceEvent): Violation | undefined {
    if (one.case === "snapshot") return snapshot(`${channelName(channel)} ${one.value.section}`, one.value);
    if (one.case === "diff") return diff(`${channelName(channel)} ${one.value.section}`, one.value);
    return undefined;
  }

  return {
    received({ kind }: ServerFrame): Violation | undefined {
      return kind.case === "presenceEvent" ? event(kind.value) : undefined;
    },
  };
}
