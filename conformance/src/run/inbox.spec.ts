import { describe, expect, it } from "vitest";
import { Inbox } from "./inbox.ts";

function inbox(...names: string[]): Inbox {
  let order = 0;
  const one = new Inbox(() => ++order);
  for (const name of names) one.add({ name });
  return one;
}

const named = (...names: string[]) => names.map((name) => ({ name }));
const taken = async (one: Inbox, wish: Partial<Parameters<Inbox["take"]>[0]>) =>
  (await one.take({ patterns: [], withinMs: 0, ...wish })).map(({ json, order }) => `${json.name} ${order}`);

describe("Inbox", () => {
  it("takes items in their order, and leaves what comes between for later", async () => {
    const one = inbox("a", "x", "b", "a");
    expect(await taken(one, { patterns: named("a", "b") })).toEqual(["a 1", "b 3"]);
    expect(await taken(one, { patterns: named("x") })).toEqual(["x 2"]);
    expect(await taken(one, { patterns: named("a") })).toEqual(["a 4"]);
    await expect(taken(one, { patterns: named("a") })).rejects.toThrow("nothing came");
  });

  it("finds nothing that came before what it has to follow", async () => {
    const one = inbox("b", "a");
    await expect(taken(one, { patterns: named("a", "b") })).rejects.toThrow('for {"name":"b"} (2 of 2)');
  });

  it("takes items in any order, and gives them in that of the patterns", async () => {
    const one = inbox("b", "a", "b");
    expect(await taken(one, { patterns: named("a", "b", "b"), anyOrder: true })).toEqual(["a 2", "b 1", "b 3"]);
  });

  it("takes several of a kind", async () => {
    expect(await taken(inbox("a", "a", "a"), { patterns: named("a"), times: 2 })).toEqual(["a 1", "a 2"]);
  });

  it("waits for what comes later", async () => {
    const one = inbox("a");
    const both = taken(one, { patterns: named("a", "b"), withinMs: 5_000 });
    one.add({ name: "x" });
    one.add({ name: "b" });
    expect(await both).toEqual(["a 1", "b 3"]);
  });

  it("refuses what must not come before the last that is taken, and not what came before the former step's", async () => {
    const one = inbox("x", "a", "b", "x", "c");
    expect(await taken(one, { patterns: named("a") })).toEqual(["a 2"]);
    expect(await taken(one, { patterns: named("b"), never: named("x") })).toEqual(["b 3"]);
    await expect(taken(one, { patterns: named("c"), never: named("x") })).rejects.toThrow('there came {"name":"x"}');
  });

  it("refuses any frame without a pattern, but pings and what is sent to everybody", () => {
    const one = inbox();
    one.add({ ping: {} });
    one.add({ message: { channel: { broadcast: true }, payload: { text: "of another case" } } });
    expect(() => one.refuse([])).not.toThrow();
    one.add({ message: { channel: { group: "open:x" } } });
    expect(() => one.refuse([])).toThrow("which must not");
  });

  it("gives up when nothing comes any more", async () => {
    const one = inbox("a");
    one.end("until the end");
    await expect(taken(one, { patterns: named("b"), withinMs: 5_000 })).rejects.toThrow("waited until the end");
  });
});
