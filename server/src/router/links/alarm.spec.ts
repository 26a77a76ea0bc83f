import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { Alarm } from "./alarm.ts";

function setUp(options = {}) {
  const clock = new VirtualClock();
  const rung: number[] = [];
  const alarm = new Alarm(clock, (nowMs) => rung.push(nowMs), options);
  return { clock, alarm, rung };
}

describe("Alarm", () => {
  it("goes off at the moment that was set last", () => {
    const { clock, alarm, rung } = setUp();
    alarm.set(10);
    alarm.set(30);
    alarm.set(20);
    clock.advance(100);
    expect(rung).toEqual([20]);
    expect(alarm.dueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("goes off earlier when it is set to an earlier moment", () => {
    const { clock, alarm, rung } = setUp();
    alarm.set(30);
    alarm.set(10);
    clock.advance(100);
    expect(rung).toEqual([10]);
  });

  it("has one timer for moments that become later, and none when it is not set", () => {
    const { clock, alarm, rung } = setUp();
    for (let dueMs = 10; dueMs < 50; dueMs++) alarm.set(dueMs);
    expect(clock.pendingTimers).toBe(1);
    alarm.set(Number.POSITIVE_INFINITY);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(100);
    expect(rung).toEqual([]);
  });

  it("goes off at once when the moment has passed", () => {
    const { clock, alarm, rung } = setUp();
    clock.advance(50);
    alarm.set(10);
    clock.advance(0);
    expect(rung).toEqual([50]);
  });

  it("lets a process that stood still read first, if it is patient", () => {
    const { clock, alarm, rung } = setUp({ isPatient: true });
    alarm.set(100);
    clock.stall(5_000);
    clock.advance(1);
    expect(rung).toEqual([]);
    clock.advance(50);
    expect(rung).toEqual([5_010]);
  });

  it("is patient once: a process that keeps standing still is told", () => {
    const { clock, alarm, rung } = setUp({ isPatient: true });
    alarm.set(100);
    clock.stall(200);
    clock.advance(0);
    clock.stall(200);
    clock.advance(0);
    expect(rung).toEqual([400]);
  });

  it("forgets its patience when it is set to a later moment meanwhile", () => {
    const { clock, alarm, rung } = setUp({ isPatient: true });
    alarm.set(100);
    clock.stall(200);
    clock.advance(0);
    alarm.set(1_000);
    clock.advance(5_000);
    expect(rung).toEqual([1_000]);
  });
});
