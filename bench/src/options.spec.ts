import { describe, expect, it } from "vitest";
import { helpText, parseOptions, UsageError } from "./options.ts";

describe("parseOptions", () => {
  it("measures everything with bounds by default", () => {
    const options = parseOptions([]);
    expect(options?.scenarios.map(({ name }) => name)).toEqual(["group-fanout", "firehose"]);
    expect(options).toMatchObject({
      micro: true,
      strict: true,
      rounds: 3,
      seconds: 5,
      only: ["floor", "ws", "fanfare"],
    });
  });

  it("takes one scenario, contenders in their own order, and numbers", () => {
    const options = parseOptions([
      "firehose",
      "--only",
      "fanfare,floor",
      "--seconds",
      "0.5",
      "--rounds",
      "2",
      "--json",
    ]);
    expect(options).toMatchObject({ micro: false, only: ["floor", "fanfare"], seconds: 0.5, rounds: 2, json: true });
    expect(options?.scenarios.map(({ name }) => name)).toEqual(["firehose"]);
  });

  it("checks no bounds in the short form unless asked", () => {
    expect(parseOptions(["--short"])).toMatchObject({ strict: false, rounds: 1, seconds: 1 });
    expect(parseOptions(["--short", "--strict"])?.strict).toBe(true);
  });

  it("refuses what it does not know", () => {
    for (const args of [["nonsense"], ["--only", "socketio"], ["--seconds", "0"], ["--rounds", "x"], ["--fast"]]) {
      expect(() => parseOptions(args), args.join(" ")).toThrow(UsageError);
    }
  });

  it("has help with examples", () => {
    expect(parseOptions(["--help"])).toBeUndefined();
    expect(helpText).toContain("Examples\n  npm run bench -- group-fanout");
  });
});
