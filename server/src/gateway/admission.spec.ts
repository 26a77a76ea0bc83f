import { beforeEach, describe, expect, it } from "vitest";
import { type ResolvedLimits, resolveLimits } from "../config/resolved-limits.ts";
import { Counters } from "../observe/counters.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Admission } from "./admission.ts";

let clock: VirtualClock;
let counters: Counters;

beforeEach(() => {
  clock = new VirtualClock();
  counters = new Counters();
});

function make(limits: Partial<ResolvedLimits>): Admission {
  return new Admission({ ...resolveLimits(undefined), ...limits }, clock, counters);
}

describe("Admission", () => {
  it("bounds connections of the node and of an address, and names the setting", () => {
    const admission = make({ maxConnections: 3, maxConnectionsPerAddress: 2 });
    expect(admission.enter("a")).toBeUndefined();
    expect(admission.enter("a")).toBeUndefined();
    expect(admission.enter("a")).toContain("limits.max_connections_per_address");
    expect(admission.enter("b")).toBeUndefined();
    expect(admission.enter("c")).toContain("limits.max_connections)");
    admission.leave("a", false);
    expect(admission.enter("a")).toBeUndefined();
  });

  it("bounds who has not said hello yet", () => {
    const admission = make({ maxUnauthenticated: 1 });
    expect(admission.enter("a")).toBeUndefined();
    expect(admission.enter("b")).toContain("limits.max_unauthenticated");
    counters.unauthenticated--;
    expect(admission.enter("b")).toBeUndefined();
    admission.leave("a", true);
    admission.leave("b", false);
    expect(counters).toMatchObject({ connections: 0, unauthenticated: 0 });
  });

  it("gives resumes a quarter on top of the handshakes a second", () => {
    const admission = make({ handshakesPerSecond: 8 });
    for (let i = 0; i < 8; i++) expect(admission.handshake(false)).toBeUndefined();
    expect(admission.handshake(false)).toContain("limits.handshakes_per_second");
    expect([admission.handshake(true), admission.handshake(true)]).toEqual([undefined, undefined]);
    expect(admission.handshake(true)).toContain("limits.handshakes_per_second");
    clock.advance(125);
    expect(admission.handshake(false)).toBeUndefined();
    expect(admission.handshake(false)).toBeDefined();
  });

  it("admits at least one resume a second however low the rate", () => {
    const admission = make({ handshakesPerSecond: 1 });
    expect(admission.handshake(false)).toBeUndefined();
    expect(admission.handshake(true)).toBeUndefined();
    expect(admission.handshake(true)).toBeDefined();
  });

  it("bounds connections of a player", () => {
    const admission = make({ maxConnectionsPerPlayer: 2 });
    expect([0, 1, 2].map((connections) => admission.player(connections) === undefined)).toEqual([true, true, false]);
  });
});
