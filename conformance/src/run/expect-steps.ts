import type { Expect, ExpectClose, ExpectNothing, Together } from "@fanfare/proto/conformance/v1alpha";
import { type ActorState, frameOf } from "./actor.ts";
import { CaseFailure } from "./failure.ts";
import type { Item } from "./inbox.ts";
import { matches, shown } from "./match.ts";
import type { ServerCase } from "./server-case.ts";

/** Takes frames that have come or come in time. */
export async function expect(one: ServerCase, actor: ActorState, options: Expect, label: string): Promise<void> {
  const startedAtMs = performance.now();
  const items = await actor.connection.inbox.take({
    patterns: one.fillAll(options.frames, actor),
    anyOrder: options.anyOrder,
    times: options.times,
    never: one.fillAll(options.never, actor),
    withinMs: one.spanMs(options.within, actor),
  });
  const last = items.at(-1) as Item;
  notBefore(one.spanMs(options.notBefore, actor), options.notBefore !== undefined, last.atMs - startedAtMs, "it came");
  one.label(label, last.json, last.order);
}

/** Waits until each frame has come to one of the actors. */
export async function together(one: ServerCase, options: Together): Promise<void> {
  const inboxes = options.actors.map((name) => one.actor(name).connection.inbox);
  const counts = Array.from({ length: options.times || 1 }, (_, i) => i + 1);
  const wanted = counts.flatMap((n) => options.frames.map((frame) => one.fill(frame, undefined, n)));
  const deadlineMs = performance.now() + one.spanMs(options.within);
  for (;;) {
    const lacking = wanted.filter(
      (pattern) => !inboxes.some(({ items }) => items.some(({ json }) => matches(pattern, json))),
    );
    if (lacking.length === 0) return;
    if (performance.now() >= deadlineMs) {
      const whom = options.actors.join(" nor to ");
      throw new CaseFailure(
        `${lacking.length} of ${wanted.length} frames came neither to ${whom}; the first is ${shown(lacking[0])}`,
      );
    }
    await Promise.race(inboxes.map((inbox) => inbox.changed(deadlineMs)));
  }
}

/** Waits for the close. */
export async function expectClose(one: ServerCase, actor: ActorState, options: ExpectClose): Promise<void> {
  const { connection } = actor;
  const startedAtMs = performance.now();
  if (options.after !== undefined) {
    const patterns = one.fillAll([options.after], actor);
    await connection.inbox.take({ patterns, withinMs: one.spanMs(options.within, actor) });
  }
  const deadlineMs = startedAtMs + one.spanMs(options.within, actor);
  while (connection.endedWith === undefined && performance.now() < deadlineMs)
    await connection.inbox.changed(deadlineMs);
  const wanted = options.codes.length > 0 ? options.codes.join(" or ") : "no code";
  if (connection.endedWith === undefined) {
    throw new CaseFailure(
      `the connection still stands after ${Math.round(performance.now() - startedAtMs)} ms, and has to be closed with ${wanted}`,
    );
  }
  const { code, reason, atMs } = connection.endedWith;
  if (actor.isRefused && connection.watcher.facts.welcome !== undefined) {
    throw new CaseFailure("a welcome came, and the hello had to be refused");
  }
  const isWanted = options.codes.length > 0 ? options.codes.includes(code) : code === 1005 || code === 1006;
  if (!isWanted) throw new CaseFailure(`the connection was closed with ${code} (${reason}) instead of ${wanted}`);
  notBefore(one.spanMs(options.notBefore, actor), options.notBefore !== undefined, atMs - startedAtMs, "it was closed");
}

/** Fails if a frame came that must not have. */
export async function expectNothing(one: ServerCase, actor: ActorState, options: ExpectNothing): Promise<void> {
  const { inbox } = actor.connection;
  const patterns = one.fillAll(options.frames, actor);
  if (options.lasting !== undefined) {
    const deadlineMs = performance.now() + one.spanMs(options.lasting, actor);
    while (performance.now() < deadlineMs) {
      inbox.refuse(patterns);
      if (inbox.hasEnded) throw new CaseFailure(`the connection was closed with ${actor.connection.endedWith?.code}`);
      await inbox.changed(deadlineMs);
    }
    return inbox.refuse(patterns);
  }
  if (options.until === undefined) return settle(one, actor, (until) => inbox.refuse(patterns, until));
  const [item] = await inbox.take({
    patterns: one.fillAll([options.until], actor),
    never: patterns,
    withinMs: one.environment.patienceMs,
  });
  one.label("", (item as Item).json);
}

/** Waits until the server has handled everything sent before. `check` sees how many items came before the pong. */
export async function settle(one: ServerCase, actor: ActorState, check?: (until: number) => void): Promise<void> {
  const id = actor.nextId();
  const { connection } = actor;
  connection.send([frameOf({ id, ping: { sentAtUs: String(Date.now() * 1000) } })]);
  const deadlineMs = performance.now() + one.environment.patienceMs;
  for (;;) {
    const index = connection.inbox.items.findIndex(({ json }) => json.id === id && "pong" in json);
    const until = index === -1 ? connection.inbox.items.length : index;
    check?.(until);
    const pong = connection.inbox.items[index];
    if (pong !== undefined) {
      pong.taken = true;
      return;
    }
    if (connection.inbox.hasEnded)
      throw new CaseFailure(`closed with ${connection.endedWith?.code} before a pong came`);
    if (performance.now() >= deadlineMs) throw new CaseFailure("no pong came", "FF-HB-003");
    await connection.inbox.changed(deadlineMs);
  }
}

function notBefore(leastMs: number, isSet: boolean, tookMs: number, what: string): void {
  if (!isSet || tookMs >= leastMs) return;
  throw new CaseFailure(`${what} after ${Math.round(tookMs)} ms, and must not before ${Math.round(leastMs)} ms`);
}
