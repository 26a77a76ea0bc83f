import { CloseCode } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { AppHub } from "./app-hub.ts";
import { HandOvers } from "./hand-overs.ts";
import type { Session } from "./session.ts";

describe("sessions that are handed over to another node", () => {
  let clock: VirtualClock;
  let closed: string[];
  let held: string[];
  let handOvers: HandOvers;

  beforeEach(() => {
    clock = new VirtualClock();
    closed = [];
    held = [];
    const hub = {
      channels: {
        hold: ([key]: string[]) => {
          held.push(`${key}`);
          return { standing: undefined, release: () => void held.splice(held.indexOf(`${key}`), 1) };
        },
      },
      closeDeparted: (session: Session) => {
        session.link = undefined;
        handOvers.closed(session);
      },
    } as unknown as AppHub;
    handOvers = new HandOvers(hub, clock);
  });

  function handedOver(id: string, playerId = id): Session {
    const link = { close: (code: CloseCode) => closed.push(`${id} ${CloseCode[code]}`) };
    const session = { id, playerId, link } as unknown as Session;
    handOvers.begin(session, 2n);
    return session;
  }

  it("are closed here when that is not finished in time", () => {
    handedOver("s");
    clock.advance(4_999);
    expect(closed).toEqual([]);
    clock.advance(1);
    expect([closed, handOvers.get("s")]).toEqual([["s GOING_AWAY"], undefined]);
  });

  it("leave nothing behind once they have gone", () => {
    const session = handedOver("s");
    handOvers.closed({ ...session } as Session); // another of the same name is no concern of it
    expect(handOvers.get("s")).toBe(session);
    handOvers.closed(session);
    clock.advance(10_000);
    expect([closed, handOvers.get("s")]).toEqual([[], undefined]);
  });

  it("keep their player here, and on its route, until the last has gone", () => {
    const [one, other] = [handedOver("s", "ann"), handedOver("t", "ann")];
    expect([handOvers.has("ann"), held]).toEqual([true, ["p:ann", "p:ann"]]);
    handOvers.closed(one);
    expect([handOvers.has("ann"), held]).toEqual([true, ["p:ann"]]);
    handOvers.closed(other);
    handOvers.closed(other);
    expect([handOvers.has("ann"), held]).toEqual([false, []]);
  });

  it("leave their former connection when they have come back, and go away again", () => {
    handedOver("s", "ann");
    const again = handedOver("s", "ann");
    expect([closed, held]).toEqual([["s GOING_AWAY"], ["p:ann"]]);
    handOvers.closed(again);
    clock.advance(10_000);
    expect([closed, handOvers.has("ann"), held]).toEqual([["s GOING_AWAY"], false, []]);
  });

  it("are closed with those of their player", () => {
    for (const [id, player] of [
      ["s", "ann"],
      ["t", "bob"],
      ["u", "ann"],
    ] as const)
      handedOver(id, player);
    handOvers.closeAll(({ playerId }) => playerId === "ann", CloseCode.BANNED, "out");
    expect(closed).toEqual(["s BANNED", "u BANNED"]);
  });
});
