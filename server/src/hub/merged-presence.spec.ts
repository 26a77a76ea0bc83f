import { create, toBinary } from "@bufbuild/protobuf";
import { PresencePageSchema } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { mergePresence } from "./merged-presence.ts";

const memberOf = (origin: bigint) => ({ origin, generation: 1, playerId: `p${origin}` });

/** A node, a page of which ends after so many members: as with a size, or with the bytes of a page. */
function pageOf(all: readonly bigint[], after: bigint, most: number) {
  const rest = all.filter((origin) => origin > after);
  const members = rest.slice(0, most).map(memberOf);
  const nextPageToken = rest.length > members.length ? `${members.at(-1)?.origin}` : "";
  return create(PresencePageSchema, { members, sessions: all.length, players: all.length, nextPageToken });
}

describe("the pages of a channel's presence on several nodes", () => {
  it("have everybody once, also where the pages of one node reach less far than those of another", () => {
    const nodes = [
      { all: [1n, 2n, 4n, 7n, 8n], most: 2 },
      { all: [3n, 5n, 6n, 9n], most: 100 },
      { all: [10n, 11n, 12n, 13n], most: 3 },
    ];
    const everybody = nodes.flatMap(({ all }) => all).sort((a, b) => (a < b ? -1 : 1));
    for (const pageSize of [100, 3]) {
      const found: unknown[] = [];
      for (let token = "0"; token !== ""; ) {
        const after = BigInt(token);
        const pages = nodes.map(({ all, most }) => pageOf(all, after, Math.min(most, pageSize)));
        const page = mergePresence(pages, { pageSize });
        const members = page.members ?? [];
        expect([page.sessions, members.length <= pageSize]).toEqual([everybody.length, true]);
        found.push(...members.map(({ origin }) => origin));
        token = page.nextPageToken ?? "";
      }
      expect(found).toEqual(everybody);
    }
  });

  it("count a session that is just moving once, by its newer entry", () => {
    const pages = [1, 2].map((generation) =>
      create(PresencePageSchema, { members: [{ ...memberOf(5n), generation }], sessions: 1, players: 1 }),
    );
    const { members, ...counts } = mergePresence(pages, { pageSize: 0 });
    expect(counts).toEqual({ sessions: 1, players: 1, nextPageToken: "" });
    expect(members).toMatchObject([{ ...memberOf(5n), generation: 2 }]);
  });

  it("are no larger on many nodes than on one (FF-TR-012)", () => {
    const data = { type: "t", data: { case: "text" as const, value: "x".repeat(4096) } };
    const nodes = Array.from({ length: 10 }, (_, node) =>
      Array.from({ length: 60 }, (_, i) => ({ ...memberOf(BigInt(10 * i + node + 1)), data })),
    );
    const found: unknown[] = [];
    for (let token = "0"; token !== ""; ) {
      const pages = nodes.map((all) => {
        const members = all.filter(({ origin }) => origin > BigInt(token));
        return create(PresencePageSchema, { members, sessions: all.length, players: all.length });
      });
      const page = create(PresencePageSchema, mergePresence(pages, { pageSize: 1000 }));
      expect(toBinary(PresencePageSchema, page).length).toBeLessThan(300_000);
      found.push(...page.members.map(({ origin }) => origin));
      token = page.nextPageToken;
    }
    expect(found).toEqual(Array.from({ length: 600 }, (_, i) => BigInt(i + 1)));
  });
});
