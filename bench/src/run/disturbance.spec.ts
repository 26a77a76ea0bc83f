import { describe, expect, it } from "vitest";
import { isDisturbed, leastDisturbed } from "./disturbance.ts";
import type { Round } from "./round.ts";

const undisturbed = (round: Round): boolean => !isDisturbed(round);

/** Rounds in which others used these shares of the core, one after the other. */
function roundsOf(shares: readonly number[]) {
  const rounds = shares.map((foreignShare) => ({ foreignShare }) as Round);
  return { run: async () => rounds.shift()!, left: rounds };
}

describe("leastDisturbed", () => {
  it("takes the first round that nobody disturbed", async () => {
    const { run, left } = roundsOf([0.5, 0.2, 0.02, 0]);
    expect(await leastDisturbed(5, undisturbed, run)).toEqual({ foreignShare: 0.02 });
    expect(left).toHaveLength(1);
  });

  it("takes the least disturbed one when none was left alone", async () => {
    const { run } = roundsOf([0.5, 0.2, 0.9]);
    expect(await leastDisturbed(3, undisturbed, run)).toEqual({ foreignShare: 0.2 });
  });

  it("does not repeat where others cannot be seen", async () => {
    const { run, left } = roundsOf([]);
    left.push({ foreignShare: undefined } as Round);
    expect(await leastDisturbed(3, undisturbed, run)).toEqual({ foreignShare: undefined });
  });
});
