import { describe, expect, it } from "vitest";
import { SharedEcho } from "./shared-echo.ts";

describe("what has not come back", () => {
  it("counts until it, or something later, was heard", () => {
    const echo = new SharedEcho();
    expect(echo.nextNumber).toBe(1);
    for (const bytes of [10, 20, 40]) echo.published(bytes, 0);
    expect([echo.nextNumber, echo.unheardBytes(0)]).toEqual([4, 70]);
    echo.heard(2);
    expect(echo.unheardBytes(0)).toBe(40);
    echo.heard(1);
    expect(echo.unheardBytes(0)).toBe(40);
    echo.heard(99);
    expect(echo.unheardBytes(0)).toBe(0);
  });

  it("is taken for lost after ten seconds", () => {
    const echo = new SharedEcho();
    echo.published(10, 0);
    echo.published(20, 5_000);
    expect(echo.unheardBytes(9_999)).toBe(30);
    expect(echo.unheardBytes(10_000)).toBe(20);
    expect(echo.unheardBytes(15_000)).toBe(0);
  });
});
