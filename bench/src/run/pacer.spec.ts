import { describe, expect, it } from "vitest";
import { type PacerClock, pace } from "./pacer.ts";

/** A clock that moves only when the pacer lets it: a turn takes `turnMs`, a rest as long as asked. */
class PacedClock implements PacerClock {
  timeMs = 0;
  turns = 0;
  readonly turnMs: number;

  constructor(turnMs: number) {
    this.turnMs = turnMs;
  }

  nowMs(): number {
    return this.timeMs;
  }

  async turn(): Promise<void> {
    this.turns++;
    this.timeMs += this.turnMs;
  }

  async rest(ms: number): Promise<void> {
    this.timeMs += ms;
  }
}

async function sentAt(clock: PacedClock, messagesPerSecond: number, count: number): Promise<number[]> {
  const times: number[] = [];
  await pace(messagesPerSecond, count, (index) => times.push(index === times.length ? clock.timeMs : -1), clock);
  return times;
}

describe("pace", () => {
  it("spaces messages evenly, resting between them at low rates", async () => {
    const clock = new PacedClock(0.1);
    expect(await sentAt(clock, 50, 4)).toEqual([0, 20, 40, 60]);
    expect(clock.turns).toBe(0);
  });

  it("turns the loop over at high rates, so that messages are not bunched by timers", async () => {
    const clock = new PacedClock(0.25);
    expect(await sentAt(clock, 2_000, 5)).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  it("makes up for what is late at once, and sends as many as asked", async () => {
    const clock = new PacedClock(2);
    const times = await sentAt(clock, 1_000, 6);
    expect(times).toEqual([0, 2, 2, 4, 4, 6]);
  });
});
