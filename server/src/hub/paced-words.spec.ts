import { beforeEach, describe, expect, it } from "vitest";
import { PacedWords } from "./paced-words.ts";
import type { PresenceWord } from "./presence-audience.ts";

const page = (number: number): PresenceWord => ({ case: "snapshot", value: { number: BigInt(number) } });
const diff = (number: number): PresenceWord => ({ case: "diff", value: { number: BigInt(number) } });
const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe("what a member of an audience has no room for", () => {
  const sent = new Map<string, string[]>();
  const behind: string[] = [];
  /** Words that each has room for. */
  const room = new Map<string, number>();
  let looks: (() => void)[] = [];
  let words: PacedWords<string>;

  beforeEach(() => {
    sent.clear();
    room.clear();
    behind.length = 0;
    looks = [];
    const port = {
      send(to: Iterable<string>, word: PresenceWord) {
        for (const member of to) {
          sent.set(member, [...(sent.get(member) ?? []), `${word.case} ${(word.value as { number: bigint }).number}`]);
          room.set(member, (room.get(member) ?? Number.POSITIVE_INFINITY) - 1);
        }
      },
      hasRoom: (member: string) => (room.get(member) ?? Number.POSITIVE_INFINITY) > 0,
      room: () => new Promise<void>((resolve) => looks.push(resolve)),
    };
    words = new PacedWords(port, (member) => behind.push(member));
  });

  const look = async (): Promise<void> => {
    for (const resolve of looks.splice(0)) resolve();
    await settled();
  };

  it("is sent in order as soon as it has, and keeps nobody else waiting (FF-PR-005)", async () => {
    room.set("slow", 1);
    for (const word of [page(1), page(2), page(3), diff(4)]) words.send(["slow", "swift"], word);
    const all = ["snapshot 1", "snapshot 2", "snapshot 3", "diff 4"];
    expect([sent.get("slow"), sent.get("swift")]).toEqual([["snapshot 1"], all]);
    await look();
    expect(sent.get("slow")).toEqual(["snapshot 1"]);
    room.set("slow", 2);
    await look();
    expect(sent.get("slow")).toEqual(all.slice(0, 3));
    words.send(["slow"], diff(5));
    room.set("slow", 9);
    words.send(["slow"], diff(6));
    expect(sent.get("slow")).toEqual(all.slice(0, 3));
    await look();
    expect(sent.get("slow")).toEqual([...all, "diff 5", "diff 6"]);
    words.send(["slow"], diff(7));
    expect(sent.get("slow")?.at(-1)).toBe("diff 7");
    await look();
    expect(looks).toEqual([]);
  });

  it("is thrown away when it is too much, and a new snapshot asked for (FF-PR-004)", async () => {
    room.set("slow", 0);
    for (let i = 1; i <= 200; i++) words.send(["slow"], page(i));
    for (let i = 1; i <= 64; i++) words.send(["slow"], diff(i));
    expect(behind).toEqual([]);
    words.send(["slow"], diff(65));
    expect(behind).toEqual(["slow"]);
    room.set("slow", 999);
    await look();
    expect([sent.get("slow"), looks]).toEqual([undefined, []]);
  });

  it("is thrown away with the member, also if that comes back at once", async () => {
    room.set("slow", 0);
    words.send(["slow"], page(1));
    words.drop("slow");
    words.send(["slow"], page(2));
    room.set("slow", 9);
    await look();
    expect([sent.get("slow"), looks]).toEqual([["snapshot 2"], []]);
    room.set("slow", 0);
    words.send(["slow"], page(3));
    words.dropAll();
    await look();
    expect([sent.get("slow"), looks]).toEqual([["snapshot 2"], []]);
  });
});
