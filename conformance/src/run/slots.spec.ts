import { describe, expect, it } from "vitest";
import { Slots } from "./slots.ts";

/** Tasks that end when they are told to, and what of them has begun. */
class Tasks {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  task(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.#ends.set(name, () => resolve(name)));
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("Slots", () => {
  it("are given in the order of asking, and nobody overtakes who needs many", async () => {
    const slots = new Slots(4);
    const tasks = new Tasks();
    const all = [
      slots.use(3, tasks.task("a")),
      slots.use(1, tasks.task("b")),
      slots.alone(tasks.task("c")),
      slots.use(1, tasks.task("d")),
    ];
    await tasks.end("none yet");
    await tasks.end("b");
    expect(tasks.begun).toEqual(["a", "b"]);
    await tasks.end("a");
    expect(tasks.begun).toEqual(["a", "b", "c"]);
    await tasks.end("c");
    expect(tasks.begun).toEqual(["a", "b", "c", "d"]);
    await tasks.end("d");
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
  });

  it("are given back by what fails", async () => {
    const slots = new Slots(1);
    await expect(slots.use(1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await slots.use(8, () => Promise.resolve("next"))).toBe("next");
  });
});
