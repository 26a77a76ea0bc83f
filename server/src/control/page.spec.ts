import { ErrorCode } from "@fanfare/proto/v1";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pageOf } from "./page.ts";

const itself = (key: string) => key;

function allPages(keys: readonly string[], pageSize: number): string[][] {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = pageOf("list", keys, itself, { pageSize, pageToken });
    pages.push([...page.items]);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("pageOf", () => {
  it("walks any list in the order of its keys, each item once, every page but the last full", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.integer({ min: 1, max: 7 }), (keys, size) => {
        const pages = allPages(keys, size);
        expect(pages.flat()).toEqual([...keys].sort());
        expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
      }),
    );
  });

  it("has one empty page for an empty list, and 100 items on a page by default", () => {
    expect(allPages([], 1)).toEqual([[]]);
    const keys = Array.from({ length: 250 }, (_, i) => `k${1000 + i}`);
    expect(allPages(keys, 0).map((page) => page.length)).toEqual([100, 100, 50]);
  });

  it("neither repeats nor hides what stays, whatever comes and goes between two pages", () => {
    const first = pageOf("list", ["a", "c", "e", "g"], itself, { pageSize: 2, pageToken: "" });
    expect(first.items).toEqual(["a", "c"]);
    const next = { pageSize: 2, pageToken: first.nextPageToken };
    expect(pageOf("list", ["b", "d", "e", "g"], itself, next).items).toEqual(["d", "e"]);
    expect(pageOf("list", [], itself, next)).toEqual({ items: [], nextPageToken: "" });
  });

  it("gives tokens within the bounds of the protocol for the longest names", () => {
    const keys = ["a", "b"].map((letter) => letter.repeat(255));
    const { nextPageToken } = pageOf("sessions", keys, itself, { pageSize: 1, pageToken: "" });
    expect(nextPageToken.length).toBeLessThanOrEqual(512);
  });

  it("refuses tokens that are not its own", () => {
    const { nextPageToken } = pageOf("other", ["a", "b"], itself, { pageSize: 1, pageToken: "" });
    for (const pageToken of ["x", "a", "====", "Ag", nextPageToken, `${nextPageToken} `]) {
      expect(() => pageOf("list", ["a", "b"], itself, { pageSize: 1, pageToken }), pageToken).toThrow(
        expect.objectContaining({ code: ErrorCode.INVALID_ARGUMENT, field: "page_token" }),
      );
    }
  });
});
