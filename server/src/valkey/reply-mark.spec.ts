import { describe, expect, it } from "vitest";
import { lineOf, markOf } from "./reply-mark.ts";

describe("what a function of the server answers", () => {
  it("is a line of words, alone or first of an array, as text or as bytes; the second one is its mark", () => {
    const mark = { node: "a1b2", run: "1700.5", number: 17 };
    for (const line of ["ok a1b2:1700.5:17", "ok a1b2:1700.5:17 5 6-7", "ok a1b2:1700.5:17 a:b:c"]) {
      for (const reply of [line, Buffer.from(line), [Buffer.from(line), "body"]]) expect(markOf(reply)).toEqual(mark);
    }
    expect(lineOf([Buffer.from("stored a1b2:1700.5:17 5")])).toEqual(["stored", "a1b2:1700.5:17", "5"]);
  });

  it("names no node outside of a cluster", () => {
    expect(markOf("ok :1700.5:3 x")).toEqual({ node: "", run: "1700.5", number: 3 });
  });

  it("has no mark where there is none", () => {
    for (const reply of [undefined, null, "", "ok", "a:b:c"]) {
      expect(markOf(reply)).toEqual({ node: "", run: "", number: Number.NaN });
    }
  });
});
