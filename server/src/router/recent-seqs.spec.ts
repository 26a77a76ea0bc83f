import { describe, expect, it } from "vitest";
import { RecentSeqs } from "./recent-seqs.ts";

describe("RecentSeqs", () => {
  it("takes what is not newer than the last of its origin, channel and class for a repeat", () => {
    const seqs = new RecentSeqs();
    expect(seqs.isRepeat("g:a", 1n, 5, false)).toBe(false);
    expect(seqs.isRepeat("g:a", 1n, 5, false)).toBe(true);
    expect(seqs.isRepeat("g:a", 1n, 4, false)).toBe(true);
    expect(seqs.isRepeat("g:a", 1n, 6, false)).toBe(false);
    expect(seqs.isRepeat("g:b", 1n, 5, false)).toBe(false);
    expect(seqs.isRepeat("g:a", 2n, 5, false)).toBe(false);
    expect(seqs.isRepeat("g:a", 1n, 5, true)).toBe(false);
  });

  it("forgets the origin that was quiet the longest", () => {
    const seqs = new RecentSeqs(2);
    for (const origin of [1n, 2n]) seqs.isRepeat("g:a", origin, 1, false);
    seqs.isRepeat("g:a", 1n, 2, false);
    seqs.isRepeat("g:a", 3n, 1, false);
    expect(seqs.isRepeat("g:a", 1n, 2, false)).toBe(true);
    expect(seqs.isRepeat("g:a", 2n, 1, false)).toBe(false);
  });
});
