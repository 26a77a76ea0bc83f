import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { silentLog } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { SoloLease } from "./solo-lease.ts";
import type { Command, Reply, ValkeyClient } from "./valkey-client.ts";

const key = "game:{lease}:node";

/** As much of Valkey as a lease needs; what the scripts really do is tested with a real one. */
class FakeValkey implements ValkeyClient {
  readonly #clock: VirtualClock;
  holder: { value: string; untilMs: number } | undefined;
  isDown = false;
  calls = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async send([name, ...args]: Command): Promise<Reply> {
    this.calls++;
    if (this.isDown) throw new Error("timed out");
    const nowMs = this.#clock.monotonicMs();
    if (this.holder !== undefined && this.holder.untilMs <= nowMs) this.holder = undefined;
    const hold = (value: string, lifeMs: string) => {
      this.holder = { value, untilMs: nowMs + Number(lifeMs) };
    };
    if (name === "GET") return this.holder ? Buffer.from(this.holder.value) : null;
    if (name === "SET") {
      expect(args[0]).toBe(key);
      if (this.holder !== undefined) return null;
      hold(String(args[1]), String(args[4]));
      return "OK";
    }
    const [script, , , value, lifeMs] = args.map(String);
    if (script?.includes("DEL")) {
      if (this.holder?.value === value) this.holder = undefined;
      return 1;
    }
    if (this.holder === undefined || this.holder.value === value) hold(value as string, lifeMs as string);
    return Buffer.from(this.holder?.value ?? "");
  }

  async pipeline(): Promise<readonly Reply[]> {
    throw new Error("a lease has no use for it");
  }

  close(): void {}
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function world() {
  const clock = new VirtualClock();
  const valkey = new FakeValkey(clock);
  const take = (nodeId = "one") =>
    SoloLease.take({ client: valkey, clock, log: silentLog, keyPrefix: "game", nodeId, lifeMs: 3000 });
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(100);
      await settle();
    }
  };
  return { clock, valkey, take, pass };
}

/** What a lease was lost for, as far as it is. */
function lossOf(lease: SoloLease): { reason: string | undefined } {
  const loss: { reason: string | undefined } = { reason: undefined };
  void lease.lost.then((reason) => {
    loss.reason = reason;
  });
  return loss;
}

describe("the lease of the only node", () => {
  it("is held as long as it is renewed, and free at once when it is given back", async () => {
    const { valkey, take, pass, clock } = world();
    const lease = await take();
    const loss = lossOf(lease);
    await pass(30_000);
    expect([valkey.holder?.value.split(" ")[0], loss.reason, lease.isReachable]).toEqual(["one", undefined, true]);
    await lease.release();
    expect([valkey.holder, clock.pendingTimers]).toEqual([undefined, 0]);
  });

  it("is refused to a second node after one life, with the name of the first and what to do", async () => {
    const { take, pass } = world();
    await take("one");
    const second = take("two").then(
      () => undefined,
      (reason: unknown) => reason,
    );
    let isOver = false;
    void second.then(() => {
      isOver = true;
    });
    await pass(2900);
    expect(isOver).toBe(false);
    await pass(500);
    expect(await second).toMatchObject({
      code: ErrorCode.FAILED_PRECONDITION,
      field: "valkey.key_prefix",
      message: expect.stringMatching(
        /another node, one, uses .*"game".* one node per prefix: set another .* stop the other/,
      ),
    });
  });

  it("passes to the next node within its life when its holder has died", async () => {
    const { take, pass, valkey, clock } = world();
    valkey.holder = { value: "dead 1", untilMs: clock.monotonicMs() + 3000 };
    const next = take("next");
    await pass(3200);
    const lease = await next;
    expect(valkey.holder.value).toMatch(/^next /);
    await lease.release();
  });

  it("is lost when another has it", async () => {
    const { take, pass, valkey } = world();
    const lease = await take();
    const loss = lossOf(lease);
    valkey.holder = { value: "two 2", untilMs: Number.POSITIVE_INFINITY };
    await pass(1100);
    expect(loss.reason).toBe("another node, two, has taken its lease on Valkey");
    expect(lease.isReachable).toBe(false);
    const { calls } = valkey;
    await pass(5000);
    expect(valkey.calls).toBe(calls);
  });

  it("survives an outage shorter than its life, also if Valkey has forgotten it", async () => {
    const { take, pass, valkey } = world();
    const lease = await take();
    const loss = lossOf(lease);
    await pass(900);
    valkey.isDown = true;
    await pass(1500);
    expect(lease.isReachable).toBe(false);
    valkey.isDown = false;
    valkey.holder = undefined;
    await pass(500);
    expect([lease.isReachable, loss.reason]).toEqual([true, undefined]);
    expect(valkey.holder).toMatchObject({ value: expect.stringMatching(/^one /) });
    await lease.release();
  });

  it("is lost when it cannot be renewed for its whole life, not a moment later than in Valkey", async () => {
    const { take, pass, valkey } = world();
    const lease = await take();
    const loss = lossOf(lease);
    valkey.isDown = true;
    await pass(2900);
    expect(loss.reason).toBeUndefined();
    await pass(100);
    expect(loss.reason).toBe("its lease on Valkey could not be renewed for 3 s");
    await lease.release();
  });
});
