import { ErrorCode, Outcome } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textOf } from "../testing/test-client.ts";
import { broadcast, ControlFixture, group, keyWith, masterKey, player, text } from "./testing/control-fixture.ts";

let fixture: ControlFixture;
beforeAll(async () => {
  fixture = await ControlFixture.start();
});
afterAll(() => fixture[Symbol.asyncDispose]());

function outcomes({ results }: { results: { results: { outcome: Outcome }[] }[] }): string[][] {
  return results.map((one) => one.results.map(({ outcome }) => Outcome[outcome] ?? ""));
}

describe("Publish", () => {
  it("reaches one player, a group and everybody, each who should", async () => {
    const ann = await fixture.player("ann", { subscriptions: [{ channel: group("chat:hall") }] });
    const bob = await fixture.player("bob");
    const response = await fixture.client().publish({
      publications: [
        { channels: [player("ann")], payload: text("to ann") },
        { channels: [group("chat:hall")], payload: text("to the hall") },
        { channels: [broadcast], payload: text("to all") },
      ],
    });
    expect(outcomes(response)).toEqual([["DELIVERED"], ["DELIVERED"], ["DELIVERED"]]);
    expect([
      textOf(await ann.frame("message")),
      textOf(await ann.frame("message")),
      textOf(await ann.frame("message")),
    ]).toEqual(["to ann", "to the hall", "to all"]);
    expect(textOf(await bob.frame("message"))).toBe("to all");
  });

  it("sends messages of one origin, growing, from nobody", async () => {
    const carl = await fixture.player("carl");
    const publication = { channels: [player("carl")], payload: text("x") };
    await fixture.client().publish({ publications: [publication, publication] });
    await fixture.client(keyWith(1)).publish({ publications: [publication] });
    const messages = [];
    for (let i = 0; i < 3; i++) messages.push(await carl.frame("message"));
    const [first, second, third] = messages;
    expect(first?.origin).not.toBe(0n);
    expect(new Set(messages.map(({ origin }) => origin)).size).toBe(1);
    expect(first!.seq < second!.seq && second!.seq < third!.seq).toBe(true);
    expect(messages.map(({ from }) => from)).toEqual(["", "", ""]);
  });

  it("answers each channel of each publication by itself, in order", async () => {
    await fixture.player("dora");
    const response = await fixture.client().publish({
      publications: [
        { channels: [player("dora"), player("nobody"), group("nowhere:a"), group("plain"), group("chat:empty")] },
        { channels: [group("chat:a")], conflationKey: "k" },
        { channels: [group("chat:a"), group("quiet:a")], payload: text("x".repeat(1001)) },
        { channels: [group("chat:a")], volatile: true, conflationKey: "k" },
      ],
    });
    expect(outcomes(response)).toEqual([
      ["DELIVERED", "OFFLINE", "FAILED", "FAILED", "DELIVERED"],
      ["FAILED"],
      ["FAILED", "DELIVERED"],
      ["DELIVERED"],
    ]);
    const errors = response.results.flatMap((one) => one.results.map(({ error }) => error));
    expect(errors[2]).toMatchObject({ code: ErrorCode.UNKNOWN_NAMESPACE, field: "channel.group" });
    expect(errors[3]).toMatchObject({ code: ErrorCode.UNKNOWN_NAMESPACE });
    expect(errors[5]).toMatchObject({ code: ErrorCode.INVALID_ARGUMENT, field: "conflation_key" });
    expect(errors[6]).toMatchObject({ code: ErrorCode.TOO_LARGE, field: "payload" });
  });

  it("counts who was reached, when asked", async () => {
    const hello = { subscriptions: [{ channel: group("chat:counted") }] };
    await fixture.player("eva", hello);
    const left = await fixture.player("finn", hello);
    const channels = [group("chat:counted")];
    const events = fixture.client().watchEvents({ playerId: "finn" })[Symbol.asyncIterator]();
    await events.next();
    left.cut();
    await events.next();
    const { results } = await fixture
      .client()
      .publish({ publications: [{ channels, wantReport: true }, { channels }] });
    expect(results[0]?.results[0]?.report).toMatchObject({ reached: 1, detached: 1, excluded: 0 });
    expect(results[1]?.results[0]?.report).toBeUndefined();
    await events.return?.();
  });

  it("sends a repeated idempotency key once, by channel and key", async () => {
    const gina = await fixture.player("gina", { subscriptions: [{ channel: group("chat:once") }] });
    const publish = (channel: ReturnType<typeof group | typeof player>, body: string, key = masterKey("game")) =>
      fixture.client(key).publish({
        publications: [{ channels: [channel], payload: text(body), idempotencyKey: "pay-1" }],
      });
    const first = await publish(group("chat:once"), "first");
    const again = await publish(group("chat:once"), "again");
    expect(first.results[0]?.results[0]).toMatchObject({ outcome: Outcome.DELIVERED, repeated: false });
    expect(again.results[0]?.results[0]).toMatchObject({ outcome: Outcome.DELIVERED, repeated: true });
    await publish(player("gina"), "other channel");
    await publish(group("chat:once"), "other key", keyWith(1));
    expect([
      textOf(await gina.frame("message")),
      textOf(await gina.frame("message")),
      textOf(await gina.frame("message")),
    ]).toEqual(["first", "other channel", "other key"]);
  });

  it("tries again under the key of a publish that failed", async () => {
    const publications = [{ channels: [group("later:a")], idempotencyKey: "retry" }];
    const client = fixture.client();
    expect(outcomes(await client.publish({ publications }))).toEqual([["FAILED"]]);
    await client.putNamespace({ namespace: { name: "later" } });
    const { results } = await client.publish({ publications });
    expect(results[0]?.results[0]).toMatchObject({ outcome: Outcome.DELIVERED, repeated: false });
  });

  it("publishes to a thousand channels a thousand times over without holding up others", async () => {
    const channels = Array.from({ length: 1000 }, (_, i) => player(`p${i}`));
    const publications = Array.from({ length: 100 }, () => ({ channels }));
    const large = fixture.client().publish({ publications });
    let answered = 0;
    const others = (async () => {
      let open = true;
      void large.finally(() => {
        open = false;
      });
      while (open) {
        await fixture.client().listNodes({});
        answered++;
      }
    })();
    const { results } = await large;
    await others;
    expect(results.flatMap((one) => one.results)).toHaveLength(100_000);
    expect(answered).toBeGreaterThan(1);
  });
});
