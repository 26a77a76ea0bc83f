import { type Message, Outcome, type Position, type Welcome } from "@fanfare/proto/v1";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectResult, type TestClient, textOf } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const features = ["resume", "durable", "cursor"];
const bob = { case: "player" as const, value: "bob" };

describe("a player's durable channel", () => {
  let fixture: TestServer;

  beforeEach(async () => {
    fixture = await startTestServer({ durableInbox: true });
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  const arrive = async (player: string): Promise<{ client: TestClient; welcome: Welcome }> => {
    const client = await fixture.dial();
    return { client, welcome: await client.hello({ token: tokenFor(player), features }) };
  };

  const commit = async (client: TestClient, { epoch }: Position, { log }: Message) => {
    const position = { epoch, offset: log!.offset, tag: log!.tag };
    const value = { channel: { kind: bob }, position };
    expectResult(await client.request({ case: "cursorCommit", value }), "cursorCommitted");
  };

  it("keeps for an offline player what was sent after the cursor, across sessions", async () => {
    const { client: ann } = await arrive("ann");
    const { client: first, welcome } = await arrive("bob");
    const begin = inboxOf(welcome);
    expect(begin).toMatchObject({ deliveryClass: 2, byServer: true, position: { offset: 0n } });
    await ann.publish(bob, "1");
    const [one] = await first.received(1);
    await commit(first, begin!.position!, one!);
    first.send({ kind: { case: "disconnect", value: {} } });
    await first.ended();

    expect(await ann.publish(bob, "2")).toMatchObject({ outcome: Outcome.STORED, position: { offset: 2n } });
    await ann.publish(bob, "3");

    const { client: second, welcome: again } = await arrive("bob");
    expect(again.resumed).toBe(false);
    expect(inboxOf(again)).toMatchObject({ cursor: { offset: 1n }, head: { offset: 3n }, recovered: true });
    expect((await second.received(2)).map(textOf)).toEqual(["2", "3"]);
    await ann.publish(bob, "4");
    expect((await second.received(3)).map(textOf)).toEqual(["2", "3", "4"]);
  });

  it("goes to every session of the player, and to nobody else", async () => {
    const [{ client: ann }, { client: one }, { client: two }] = [
      await arrive("ann"),
      await arrive("bob"),
      await arrive("bob"),
    ];
    await ann.publish(bob, "hi");
    expect([textOf((await one.received(1))[0]!), textOf((await two.received(1))[0]!)]).toEqual(["hi", "hi"]);
    await ann.settle();
    expect(ann.messages).toEqual([]);
  });
});

function inboxOf({ subscriptions }: Welcome) {
  const found = subscriptions.find(({ channel }) => channel?.kind.case === "player");
  return found?.result.case === "subscribed" ? found.result.value : undefined;
}
