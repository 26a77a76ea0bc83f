import { describe, expect, it } from "vitest";
import { Random } from "../random.ts";
import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import { ClientPaths } from "./client-paths.ts";
import type { ValkeyServer } from "./valkey-server.ts";

const client = { name: "client" } as SimulatedProcess;
const [one, other] = [{ id: "one" }, { id: "other" }] as [ValkeyServer, ValkeyServer];

describe("paths between clients and servers of the model", () => {
  it("let everything through, but for those that are blocked", () => {
    const paths = new ClientPaths(Random.of(1, 1));
    paths.block(client, one, false);
    expect([paths.reaches(client, one), paths.reaches(client, other)]).toEqual([false, true]);
    paths.unblock(client, one);
    expect(paths.reaches(client, one)).toBe(true);
  });

  it.each([
    { keeps: true, after: ["1 arrives", "2 arrives"] },
    { keeps: false, after: ["1 is lost", "2 is lost"] },
  ])("bring what was published meanwhile afterwards, in its order, or never: $keeps", ({ keeps, after }) => {
    const paths = new ClientPaths(Random.of(1, 1));
    const seen: string[] = [];
    paths.block(client, one, keeps);
    for (const what of ["1", "2"]) {
      paths.pass(
        client,
        one,
        () => seen.push(`${what} arrives`),
        () => seen.push(`${what} is lost`),
      );
    }
    expect(seen).toEqual(keeps ? [] : after);
    paths.unblock(client, one);
    expect(seen).toEqual(after);
    paths.pass(
      client,
      one,
      () => seen.push("3 arrives"),
      () => {},
    );
    expect(seen.at(-1)).toBe("3 arrives");
  });

  it("lose and delay as much as they are told", () => {
    const paths = new ClientPaths(Random.of(1, 1));
    const draw = () => Array.from({ length: 1_000 }, () => paths.losesPublished()).filter(Boolean).length;
    expect([draw(), paths.delayMs()]).toEqual([0, 0]);
    paths.publishedLoss = 0.3;
    expect(draw()).toBeGreaterThan(200);
    expect(draw()).toBeLessThan(400);
    paths.publishedDelayMs = 50;
    const delays = Array.from({ length: 1_000 }, () => paths.delayMs());
    expect(Math.max(...delays)).toBeLessThan(50);
    expect(Math.max(...delays)).toBeGreaterThan(40);
  });
});
