import { describe, expect, it } from "vitest";
import { EventQueue, type Queued } from "./event-queue.ts";

const item = (n: number) => ({ n });

async function rest<T extends object>(queue: EventQueue<T>): Promise<Queued<T>[]> {
  const all: Queued<T>[] = [];
  for await (const queued of queue) all.push(queued);
  return all;
}

describe("EventQueue", () => {
  it("gives in order what was put in before and after it is asked", async () => {
    const queue = new EventQueue<{ n: number }>(10);
    queue.push(item(1));
    const reader = queue[Symbol.asyncIterator]();
    expect((await reader.next()).value).toEqual({ item: item(1) });
    const waiting = reader.next();
    queue.push(item(2));
    expect((await waiting).value).toEqual({ item: item(2) });
    const last = reader.next();
    queue.end();
    expect((await last).done).toBe(true);
  });

  it("keeps its bound, and tells a slow reader where and how many are missing", async () => {
    const queue = new EventQueue<{ n: number }>(2);
    for (let n = 1; n <= 5; n++) queue.push(item(n));
    const reader = queue[Symbol.asyncIterator]();
    expect((await reader.next()).value).toEqual({ item: item(1) });
    queue.push(item(6)); // there is room, but 3 to 5 are missing before it
    expect((await reader.next()).value).toEqual({ item: item(2) });
    expect((await reader.next()).value).toEqual({ missed: 4 });
    queue.push(item(7));
    expect((await reader.next()).value).toEqual({ item: item(7) });
  });

  it("gives what is queued when it ends, and takes nothing more", async () => {
    const queue = new EventQueue<{ n: number }>(1);
    queue.push(item(1));
    queue.push(item(2));
    queue.end();
    queue.push(item(3));
    expect(await rest(queue)).toEqual([{ item: item(1) }, { missed: 1 }]);
  });

  it("wakes a reader that has nothing, once, and disturbs none that has something", async () => {
    const queue = new EventQueue<{ n: number }>(2);
    queue.push(item(1));
    queue.wake();
    const reader = queue[Symbol.asyncIterator]();
    expect((await reader.next()).value).toEqual({ item: item(1) });
    expect((await reader.next()).value).toEqual({ missed: 0 });
    const waiting = reader.next();
    queue.wake();
    expect((await waiting).value).toEqual({ missed: 0 });
    queue.end();
    expect((await reader.next()).done).toBe(true);
  });

  it("gives its failure instead of what is queued, also to a reader that waits", async () => {
    const queue = new EventQueue<{ n: number }>(2);
    const reader = queue[Symbol.asyncIterator]();
    const waiting = reader.next();
    queue.fail(new Error("withdrawn"));
    await expect(waiting).rejects.toThrow("withdrawn");
    const other = new EventQueue<{ n: number }>(2);
    other.push(item(1));
    other.fail(new Error("withdrawn"));
    other.push(item(2));
    await expect(rest(other)).rejects.toThrow("withdrawn");
  });
});
