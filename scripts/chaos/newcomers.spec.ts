import { expect, it } from "vitest";
import { Newcomers, type Timed, timed } from "./newcomers.ts";

it("has somebody new come at every beat, while those before are stuck as well", () => {
  const came: number[] = [];
  const newcomers = new Newcomers((_, dueMs) => {
    came.push(dueMs);
    return new Promise(() => {});
  });
  for (let dueMs = 0; dueMs < 4_000; dueMs += 100) newcomers.due(dueMs);
  expect(came).toHaveLength(40);
  expect(newcomers).toMatchObject({ failed: 0, heldBack: 0 });
});

it("counts who has not come because too many are stuck", () => {
  let came = 0;
  const newcomers = new Newcomers(() => {
    came++;
    return new Promise(() => {});
  });
  for (let i = 0; i < 300; i++) newcomers.due(i);
  expect([came, newcomers.heldBack]).toEqual([256, 44]);
});

it("counts who does not get through, and lets others take their places", async () => {
  const newcomers = new Newcomers((number) => (number % 2 === 0 ? Promise.reject(new Error("no")) : Promise.resolve()));
  for (let i = 0; i < 4; i++) newcomers.due(i);
  await newcomers.come(() => false);
  expect(newcomers).toMatchObject({ failed: 2, heldBack: 0 });
});

it("counts a wait from when it was due, if it fails as well", async () => {
  const notes: Timed[] = [];
  await timed(notes, Promise.reject(new Error("no")), performance.now() - 1_000).catch(() => {});
  expect(notes[0]?.tookMs).toBeGreaterThanOrEqual(1_000);
});
