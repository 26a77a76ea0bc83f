import { clone, create, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type {
  Check,
  Elapse,
  Expect,
  ExpectClose,
  ExpectNothing,
  ExpectRefusal,
  Greet,
  Move,
  Open,
  Order,
  Request,
  Send,
  SendRaw,
  Step,
} from "@fanfare/proto/conformance/v1alpha";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  type Hello,
  HelloSchema,
  type ServerFrame,
  ServerFrameSchema,
  SubscribeSchema,
  WelcomeSchema,
} from "@fanfare/proto/v1";
import { type ActorState, frameOf } from "./actor.ts";
import { Refused } from "./client-connection.ts";
import { control } from "./control-step.ts";
import { CaseFailure, HarnessError } from "./failure.ts";
import type { Item } from "./inbox.ts";
import { mismatch, shown } from "./match.ts";
import { rawMessage } from "./raw-message.ts";
import type { ServerCase } from "./server-case.ts";

/** Carries out one step. @throws CaseFailure, HarnessError */
export async function runServerStep(one: ServerCase, step: Step): Promise<void> {
  const { action } = step;
  switch (action.case) {
    case "control":
      return control(one, action.value, step.as);
    case "order":
      return order(one, action.value);
    case "check":
      return check(one, action.value);
    case "move":
      return move(one, action.value);
    case "elapse":
      return elapse(one, action.value, step.on === "" ? undefined : one.actor(step.on));
  }
  const actor = one.actor(step.on);
  switch (action.case) {
    case "open":
      return open(one, actor, action.value);
    case "hello":
      return greet(one, actor, action.value, step.as);
    case "join":
      await open(one, actor, action.value.open);
      return greet(one, actor, action.value, step.as);
    case "send":
      return send(one, actor, action.value);
    case "sendRaw":
      return sendRaw(one, actor, action.value);
    case "request":
      return request(one, actor, action.value, step.as);
    case "expect":
      return expect(one, actor, action.value, step.as);
    case "expectClose":
      return expectClose(one, actor, action.value);
    case "expectNothing":
      return expectNothing(one, actor, action.value);
    case "openRefused":
      return openRefused(one, actor, action.value);
    case "close":
      return actor.connection.close(action.value.code);
    case "cut":
      actor.cut();
      return void (await actor.connection.ended);
    case "stall":
      return actor.connection.stall();
    case "unstall":
      return actor.connection.unstall();
    case "settle":
      return void (await settle(one, actor));
    default:
      throw new HarnessError(`${action.case ?? "a step without an action"} is no step of a case for servers`);
  }
}

async function open(one: ServerCase, actor: ActorState, options: Open | undefined): Promise<void> {
  const connection = await one.dial(actor, options);
  actor.attach(connection);
  const wanted = options?.selected ?? "";
  if (wanted !== "" && connection.subprotocol !== wanted) {
    throw new CaseFailure(`the server selected ${shown(connection.subprotocol)}, and has to select ${wanted}`);
  }
}

async function openRefused(
  one: ServerCase,
  actor: ActorState,
  { open: options, status }: ExpectRefusal,
): Promise<void> {
  try {
    await one.dial(actor, options);
  } catch (error) {
    if (error instanceof Refused && error.status === status) return;
    throw error;
  }
  throw new CaseFailure(`the upgrade succeeded, and has to be refused with HTTP status ${status}`);
}

/** Asks for more groups, so that a hello gets as long as a case wants it. */
function fillUp(hello: Hello, bytes: number): void {
  while (toBinary(HelloSchema, hello).length < bytes - 300) {
    const group = `open:${hello.subscriptions.length}-`.padEnd(250, "x");
    hello.subscriptions.push(create(SubscribeSchema, { channel: { kind: { case: "group", value: group } } }));
  }
}

async function greet(one: ServerCase, actor: ActorState, options: Greet, label: string): Promise<void> {
  const hello: JsonObject = {
    token: `\${token.${actor.name}}`,
    minRevision: 1,
    maxRevision: 1,
    features: actor.definition.features,
    client: { name: "fanfare-conformance", version: "1" },
    attempt: 1,
    ...options.hello,
  };
  const value = fromJson(HelloSchema, one.fill(hello, actor));
  fillUp(value, options.fillToBytes);
  one.noteHello(actor, value.token);
  actor.connection.send([create(ClientFrameSchema, { kind: { case: "hello", value } })]);
  if (options.noWelcome) {
    actor.isRefused = actor.connection.watcher.facts.welcome === undefined;
    return;
  }
  const [item] = await actor.connection.inbox.take({
    patterns: [{ welcome: {} }],
    withinMs: one.environment.patienceMs,
  });
  const welcome = (item as Item).json.welcome as JsonObject;
  const problem = mismatch(one.fill(options.welcome ?? {}, actor), welcome, "welcome");
  if (problem !== undefined) throw new CaseFailure(problem);
  const frame: ServerFrame = fromJson(ServerFrameSchema, (item as Item).json);
  if (frame.kind.case === "welcome") actor.welcome = clone(WelcomeSchema, frame.kind.value);
  one.label(label, welcome, item?.order);
}

function send(one: ServerCase, actor: ActorState, { frames, times, joined, concatenated }: Send): void {
  const messages: ClientFrame[][] = [];
  for (let n = 1; n <= (times || 1); n++) messages.push(frames.map((json) => frameOf(one.fill(json, actor, n))));
  for (const message of joined ? [messages.flat()] : messages) actor.connection.send(message, concatenated);
}

function sendRaw(one: ServerCase, actor: ActorState, raw: SendRaw): void {
  for (let n = 1; n <= (raw.times || 1); n++) {
    if (raw.data.case === "websocketPing") {
      actor.connection.sendWebSocketPing();
      continue;
    }
    const encodeFrames = (frames: readonly JsonObject[]) => frames.map((json) => frameOf(one.fill(json, actor, n)));
    const { data, isText } = rawMessage(raw, {
      text: (text) => one.fill(text, actor, n),
      json: (json) => one.fill(json, actor, n),
      frames: encodeFrames,
      encode: (list) => toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames: [...list] })),
    });
    actor.connection.sendRaw(data, isText);
  }
}

async function request(one: ServerCase, actor: ActorState, options: Request, label: string): Promise<void> {
  for (let n = 1; n <= (options.times || 1); n++) {
    const id = actor.nextId();
    actor.connection.send([frameOf({ ...one.fill(options.frame ?? {}, actor, n), id })]);
    const [item] = await actor.connection.inbox.take({
      patterns: [{ id, reply: {} }],
      withinMs: one.environment.patienceMs,
    });
    const { json, order: at } = item as Item;
    const problem = mismatch(one.fill(options.reply ?? {}, actor, n), json.reply, "reply");
    if (problem !== undefined) throw new CaseFailure(`${problem}; the reply is ${shown(json.reply)}`);
    one.label(label, json.reply as JsonObject, at);
  }
}

async function expect(one: ServerCase, actor: ActorState, options: Expect, label: string): Promise<void> {
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

async function expectClose(one: ServerCase, actor: ActorState, options: ExpectClose): Promise<void> {
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

function notBefore(leastMs: number, isSet: boolean, tookMs: number, what: string): void {
  if (!isSet || tookMs >= leastMs) return;
  throw new CaseFailure(`${what} after ${Math.round(tookMs)} ms, and must not before ${Math.round(leastMs)} ms`);
}

async function expectNothing(one: ServerCase, actor: ActorState, options: ExpectNothing): Promise<void> {
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
async function settle(one: ServerCase, actor: ActorState, check?: (until: number) => void): Promise<void> {
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

async function elapse(one: ServerCase, { lasting }: Elapse, actor: ActorState | undefined): Promise<void> {
  const ms = one.spanMs(lasting, actor);
  one.trace.note("", `${Math.round(ms)} ms pass`);
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function move(one: ServerCase, { windowMs, deadlineMs }: Move): Promise<void> {
  if (one.server.move === undefined) throw new HarnessError("the target cannot move clients");
  one.trace.note("", "the server moves its clients");
  await one.server.move({ windowMs, deadlineMs });
}

function check(one: ServerCase, { value, pattern }: Check): void {
  const seen = one.fill(toJsonValue(value));
  const problem = mismatch(one.fill(toJsonValue(pattern)), seen, "the value");
  if (problem !== undefined) throw new CaseFailure(problem);
}

function toJsonValue(value: Value | undefined): JsonValue {
  return value === undefined ? null : toJson(ValueSchema, value);
}

function order(one: ServerCase, { labels }: Order): void {
  for (const [i, name] of labels.slice(1).entries()) {
    const before = labels[i] ?? "";
    if (one.labelled(before).order >= one.labelled(name).order) throw new CaseFailure(`${name} came before ${before}`);
  }
}
