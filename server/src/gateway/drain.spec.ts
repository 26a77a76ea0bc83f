import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { Connection } from "./connection.ts";
import { drain, sendAway } from "./drain.ts";

/** A connection that keeps what it was told. */
class FakeConnection {
  goingAway = false;
  isOpen: boolean;
  told: { deadlineMs: number; reconnectAfterMs: number; url: string; rebalancing: boolean } | undefined;
  closedWith: number | undefined;
  readonly #gone = Promise.withResolvers<void>();

  constructor(isOpen = true) {
    this.isOpen = isOpen;
  }

  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  goAway(options: NonNullable<FakeConnection["told"]>): void {
    this.goingAway = true;
    this.told = options;
  }

  close(code: CloseCode): void {
    this.closedWith ??= code;
    this.#gone.resolve();
  }
}

const options = { windowMs: 1_000, deadlineMs: 5_000, url: "ws://other", rebalancing: true };

function begin(fakes: FakeConnection[], clock = new VirtualClock()) {
  return { clock, ...drain(fakes as unknown as Connection[], clock, options) };
}

describe("drain", () => {
  it("gives each connection a time of its own, spread evenly over the window", () => {
    const fakes = Array.from({ length: 4 }, () => new FakeConnection());
    const { told } = begin(fakes);
    expect(told).toBe(4);
    expect(fakes.map((one) => one.told?.reconnectAfterMs)).toEqual([0, 250, 500, 750]);
    expect(fakes[0]?.told).toEqual({ deadlineMs: 5_000, reconnectAfterMs: 0, url: "ws://other", rebalancing: true });
  });

  it("closes at the deadline who is still there, and is done when everybody has gone", async () => {
    const [leaves, stays] = [new FakeConnection(), new FakeConnection()];
    const { clock, done } = begin([leaves, stays]);
    let isDone = false;
    const finished = done.then(() => {
      isDone = true;
    });
    leaves.close(CloseCode.HANDED_OVER);
    clock.advance(4_999);
    await Promise.resolve();
    expect([isDone, stays.closedWith]).toEqual([false, undefined]);
    clock.advance(1);
    await finished;
    expect([leaves.closedWith, stays.closedWith]).toEqual([CloseCode.HANDED_OVER, CloseCode.GOING_AWAY]);
  });

  it("leaves no timer behind when everybody goes early", async () => {
    const one = new FakeConnection();
    const { clock, done } = begin([one]);
    one.close(CloseCode.HANDED_OVER);
    await done;
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not ask again who was asked, and closes who cannot be asked", () => {
    const [asked, unwelcomed] = [new FakeConnection(), new FakeConnection(false)];
    asked.goingAway = true;
    const { told } = begin([asked, unwelcomed]);
    expect(told).toBe(0);
    expect([asked.told, asked.closedWith, unwelcomed.closedWith]).toEqual([undefined, undefined, CloseCode.GOING_AWAY]);
  });

  it("is done at once with nobody there", async () => {
    const { told, done } = begin([]);
    expect(told).toBe(0);
    await done;
  });
});

describe("sendAway", () => {
  const tell = (fakes: FakeConnection[], count: number) =>
    sendAway(fakes as unknown as Connection[], new VirtualClock(), count, options);

  it("tells as many as are too many, spread over the window, and leaves the others alone", () => {
    const fakes = Array.from({ length: 5 }, () => new FakeConnection());
    expect(tell(fakes, 2)).toBe(2);
    expect(fakes.map(({ told }) => told?.reconnectAfterMs)).toEqual([0, 500, undefined, undefined, undefined]);
  });

  it("counts who is on the way already, and disturbs nobody who has not been welcomed", () => {
    const fakes = [new FakeConnection(false), ...Array.from({ length: 4 }, () => new FakeConnection())];
    expect([tell(fakes, 2), tell(fakes, 2), tell(fakes, 3)]).toEqual([2, 0, 1]);
    expect(fakes[0]).toMatchObject({ told: undefined, closedWith: undefined });
  });
});
