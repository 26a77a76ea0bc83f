import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { MovesNearDeaths } from "./moves-near-deaths.ts";
import type { Session } from "./session.ts";

const sessionOf = (id: string) => ({ id }) as Session;

describe("sessions that move around the death of a node", () => {
  let clock: VirtualClock;
  let told: string[];
  let moves: MovesNearDeaths;

  beforeEach(() => {
    clock = new VirtualClock();
    told = [];
    moves = new MovesNearDeaths({ clock, resumeWindowMs: 60_000, tell: ({ id }) => told.push(id) });
  });

  it("are told when they have moved in the 30 s before it is noticed, and are still here", () => {
    moves.moved(sessionOf("early"));
    clock.advance(1);
    moves.moved(sessionOf("late"));
    const gone = sessionOf("gone");
    moves.moved(gone);
    moves.left(gone);
    clock.advance(30_000);
    expect(told).toEqual([]);
    moves.died();
    expect(told).toEqual(["late"]);
  });

  it("are told at once when they move while publishers of the dead node may still repeat", () => {
    moves.died();
    clock.advance(60_000);
    moves.moved(sessionOf("within"));
    clock.advance(1);
    moves.moved(sessionOf("after"));
    expect(told).toEqual(["within"]);
  });

  it("are forgotten in time, also if nobody else moves, and cost no timer then", () => {
    moves.moved(sessionOf("one"));
    clock.advance(29_999);
    moves.moved(sessionOf("other"));
    expect([moves.size, clock.pendingTimers]).toEqual([2, 1]);
    clock.advance(1);
    expect([moves.size, clock.pendingTimers]).toEqual([1, 1]);
    clock.advance(30_000);
    expect([moves.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it("are forgotten when they leave, and cost no timer then", () => {
    const [one, other] = [sessionOf("one"), sessionOf("other")];
    moves.moved(one);
    moves.moved(other);
    moves.left(one);
    moves.left(one);
    expect([moves.size, clock.pendingTimers]).toEqual([1, 1]);
    moves.left(other);
    expect([moves.size, clock.pendingTimers]).toEqual([0, 0]);
    moves.moved(sessionOf("late"));
    expect([moves.size, clock.pendingTimers]).toEqual([1, 1]);
  });

  it("are told of each death", () => {
    moves.moved(sessionOf("one"));
    moves.died();
    moves.died();
    expect(told).toEqual(["one", "one"]);
  });
});
