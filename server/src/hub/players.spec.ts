import { beforeEach, describe, expect, it } from "vitest";
import { Players } from "./players.ts";
import type { Session } from "./session.ts";

const sessionOf = (playerId: string) => ({ playerId }) as Session;

describe("players who have sessions on a node", () => {
  let calls: string[];
  let players: Players;

  beforeEach(() => {
    calls = [];
    players = new Players({
      hold: (key) => {
        calls.push(`hold ${key}`);
        return Promise.reject(new Error("the route cannot be written now"));
      },
      release: (key) => void calls.push(`release ${key}`),
    });
  });

  it("can be found by other nodes from the first session to the last, also if their route could not be written at once", () => {
    const [one, other, bobs] = [sessionOf("ann"), sessionOf("ann"), sessionOf("bob")];
    for (const session of [one, other, bobs]) players.add(session);
    expect([calls, players.sessionsOf("ann").size]).toEqual([["hold p:ann", "hold p:bob"], 2]);
    expect([players.remove(one), players.has("ann")]).toEqual([false, true]);
    expect([players.remove(other), players.has("ann")]).toEqual([true, false]);
    expect(calls).toEqual(["hold p:ann", "hold p:bob", "release p:ann"]);
  });

  it("are let go once", () => {
    const session = sessionOf("ann");
    players.add(session);
    expect([players.remove(session), players.remove(session)]).toEqual([true, false]);
    expect(calls).toEqual(["hold p:ann", "release p:ann"]);
  });
});
