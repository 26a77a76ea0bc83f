import * as fc from "fast-check";
import { expect, it } from "vitest";
import { text } from "./payload.ts";
import { at, comeBack, entry, event, from, skip } from "./testing/durable-channel.ts";
import type { FakeSocket } from "./testing/fake-network.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import type { Init } from "./wire/codec.ts";
import { GoawayReason, type ServerFrame, type Subscribe } from "./wire/schema.ts";

type Action =
  /** An entry is stored, and sent to whoever is served; `lost`: its frame is not, as a broken server does. */
  | { readonly do: "publish"; readonly count: number; readonly isSkip: boolean; readonly lost: boolean }
  /** The newest frames come a second time. */
  | { readonly do: "repeat" }
  | { readonly do: "cut"; readonly resumed: boolean }
  | { readonly do: "move" }
  | { readonly do: "handed-over" }
  | { readonly do: "read"; readonly count: number };

/** A log, and the connections to which it is served; obeys section 12, except where a frame is to be lost. */
class LogServer {
  readonly t: Scripted;
  /** Whether the entry at offset i + 1 is a message. */
  readonly log: boolean[] = [];
  readonly #served = new Map<FakeSocket, number>();
  readonly #handled = new Map<FakeSocket, number>();
  resumed = true;

  constructor(t: Scripted) {
    this.t = t;
  }

  frames(after: number): Init<ServerFrame>[] {
    return this.log
      .slice(after)
      .map((isMessage, i) => (isMessage ? entry(after + i + 1) : skip(after + i + 1, after + i + 1)));
  }

  async publish(isSkip: boolean, lost: boolean): Promise<void> {
    this.log.push(!isSkip);
    for (const [socket, position] of this.#served) {
      if (!lost) await socket.say(...this.frames(position));
      this.#served.set(socket, this.log.length);
    }
    await this.answer();
  }

  forget(socket: FakeSocket): void {
    this.#served.delete(socket);
  }

  /** Answers what the client has sent, until it sends nothing more. */
  async answer(): Promise<void> {
    for (let answered = true; answered; ) {
      answered = false;
      for (const socket of this.t.network.sockets) {
        const sent = socket.messages.flat();
        const fresh = sent.slice(this.#handled.get(socket) ?? 0);
        this.#handled.set(socket, sent.length);
        for (const { id, hello, subscribe } of fresh) {
          if (hello === undefined && subscribe === undefined) continue;
          answered = true;
          const wanted = subscribe ?? hello?.subscriptions.find(({ channel }) => channel?.group === "a");
          const subscribed = this.#start(wanted);
          const first =
            hello === undefined
              ? { id, reply: { subscribed } }
              : this.t.welcomeFrame(
                  {
                    resumed: this.resumed && hello.resume !== undefined,
                    ...(wanted && { subscriptions: [{ channel: { group: "a" }, subscribed }] }),
                  },
                  socket,
                );
          const { offset } = subscribed.position as { offset: number };
          if (wanted !== undefined) this.#served.set(socket, this.log.length);
          const caughtUp = event({ caughtUp: { position: at(this.log.length) } });
          await socket.say(first, ...(wanted === undefined ? [] : [...this.frames(offset), caughtUp]));
        }
      }
    }
  }

  #start(wanted: Init<Subscribe> | undefined): ReturnType<typeof from> {
    const { offset } = wanted?.after ?? {};
    return from(offset ?? this.log.length, { recovered: offset !== undefined, head: at(this.log.length) });
  }
}

async function history(actions: readonly Action[]): Promise<void> {
  const t = new Scripted();
  await t.open();
  await t.socket.accept();
  const server = new LogServer(t);
  await server.answer();
  const joining = t.client.join("a");
  await settled();
  await server.answer();
  const group = await joining;
  const called: number[] = [];
  const read: number[] = [];
  const gaps: unknown[] = [];
  group.on(text(), (value) => called.push(Number(value)));
  group.on("gap", (gap) => gaps.push(gap));
  const stream = group.messages(text(), { maxQueued: 3 });
  await settled();
  let old: FakeSocket | undefined;

  const readSome = async (count: number) => {
    for (let i = 0; i < count && stream.queue.size > 0; i++) {
      read.push(Number((await stream.next()).value?.value));
      await server.answer();
    }
  };
  const handOver = async () => {
    const former = old;
    old = undefined;
    if (former === undefined) return;
    server.forget(former);
    await former.say({ handedOver: {} });
    await former.end(4201);
    await server.answer();
  };
  const carryOut = async (action: Action) => {
    switch (action.do) {
      case "publish":
        for (let i = 0; i < action.count; i++) await server.publish(action.isSkip, action.lost);
        break;
      case "repeat":
        await t.socket.say(...server.frames(Math.max(0, server.log.length - 3)));
        await server.answer();
        break;
      case "cut":
        await handOver();
        server.resumed = action.resumed;
        server.forget(t.socket);
        await comeBack(t);
        await server.answer();
        break;
      case "move":
        if (old !== undefined) break;
        old = t.socket;
        server.resumed = true;
        await old.say({ goaway: { reason: GoawayReason.DRAINING, reconnectAfterMs: 0, deadlineMs: 30_000 } });
        await t.clock.advance(0);
        await t.socket.accept();
        await server.answer();
        break;
      case "handed-over":
        await handOver();
        break;
      default:
        await readSome(action.count);
    }
  };

  for (const action of actions) {
    await carryOut(action);
    // What the program was not handed may not be behind its position.
    const position = group.position?.offset ?? 0;
    for (const taken of [called, read]) {
      const due = server.log.flatMap((isMessage, i) => (isMessage && i < position ? [i + 1] : []));
      expect(taken.slice(0, due.length)).toEqual(due);
    }
  }
  await handOver();
  await server.publish(false, false);
  while (stream.queue.size > 0) await readSome(1);
  const all = server.log.flatMap((isMessage, i) => (isMessage ? [i + 1] : []));
  expect(called).toEqual(all);
  expect(read).toEqual(all);
  expect(gaps).toEqual([]);
  expect(group.position).toEqual(at(server.log.length));
}

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      count: fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: 1, max: 6 }) },
        { weight: 1, arbitrary: fc.constant(1100) },
      ),
      isSkip: fc.boolean(),
      lost: fc.boolean(),
    }),
  },
  fc.constant({ do: "repeat" as const }),
  fc.record({ do: fc.constant("cut" as const), resumed: fc.boolean() }),
  fc.constant({ do: "move" as const }),
  fc.constant({ do: "handed-over" as const }),
  fc.record({ do: fc.constant("read" as const), count: fc.constantFrom(1, 2, 5, 700) }),
);

it("hands every message over once and in order, whatever is lost, repeated, cut and moved, and to readers as slow as they like", {
  timeout: 60_000,
}, async () => {
  await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 25 }), history), { numRuns: 1000, seed: 1 });
});
