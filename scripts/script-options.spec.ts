import { describe, expect, it } from "vitest";
import { readScriptOptions, ScriptUsageError } from "./script-options.ts";

const options = {
  json: { type: "boolean" },
  only: { type: "string", multiple: true },
  save: { type: "string" },
  seconds: { type: "number", default: 60, max: 3_600 },
  seed: { type: "number", min: 0 },
  peers: { type: "numbers", default: [2, 8] },
} as const;

describe("readScriptOptions", () => {
  it("gives defaults, false for what is switched on, and undefined for the rest", () => {
    expect(readScriptOptions(options, []).values).toEqual({
      json: false,
      only: undefined,
      save: undefined,
      seconds: 60,
      seed: undefined,
      peers: [2, 8],
    });
  });

  it("reads what is given", () => {
    const args = ["--json", "--only", "a", "--only=b", "--seconds", "3600", "--seed", "0", "--peers", "1,20"];
    expect(readScriptOptions(options, args).values).toMatchObject({
      ...{ json: true, only: ["a", "b"], seconds: 3_600, seed: 0, peers: [1, 20] },
    });
  });

  it.each([
    [["--seconds", "x"], '--seconds takes whole numbers from 1 to 3600, and not "x".'],
    [["--seconds", "0"], '--seconds takes whole numbers from 1 to 3600, and not "0".'],
    [["--seconds", "3601"], "from 1 to 3600"],
    [["--seconds", "1.5"], 'not "1.5"'],
    [["--seconds="], 'not ""'],
    [["--seed=-1"], '--seed takes whole numbers from 0 on, and not "-1".'],
    [["--seed", "9007199254740993"], 'not "9007199254740993"'],
    [["--peers", "2,,3"], '--peers takes whole numbers from 1 on, and not "".'],
    [["--fast"], "--fast"],
    [["--json=yes"], "--json"],
    [["name"], "name"],
  ])("refuses %j with a sentence that names it", (args, sentence) => {
    expect(() => readScriptOptions(options, args)).toThrow(ScriptUsageError);
    expect(() => readScriptOptions(options, args)).toThrow(sentence);
  });

  it("holds a default that came from elsewhere to the bounds as well", () => {
    expect(() => readScriptOptions({ seed: { type: "number", default: Number("x") } }, [])).toThrow('not "NaN"');
  });

  it("takes names where a script has them", () => {
    expect(readScriptOptions(options, ["one", "two"], true).positionals).toEqual(["one", "two"]);
  });
});
