import { expect, it } from "vitest";
import { printable } from "./printable.ts";

it("leaves text as it is", () => {
  expect(printable("héllo wörld 👋")).toBe("héllo wörld 👋");
});

it("escapes what could move the cursor, break the line or turn the text around", () => {
  expect(printable("a\u001b[2Jb\nc\td\u202ee")).toBe("a\\u001b[2Jb\\nc\\td\\u202ee");
});
