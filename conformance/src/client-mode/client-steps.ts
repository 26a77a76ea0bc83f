import { create, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type Accept,
  ClientCommandSchema,
  type Command,
  type Expect,
  type ExpectClose,
  type Observe,
  type ObserveNothing,
  type Send,
  type Step,
} from "@fanfare/proto/conformance/v1alpha";
import { type Hello, HelloSchema, type ServerFrame, ServerFrameSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { CaseFailure, HarnessError } from "../run/failure.ts";
import type { Inbox, Item } from "../run/inbox.ts";
import { mismatch, shown } from "../run/match.ts";
import { rawMessage } from "../run/raw-message.ts";
import type { ClientCase } from "./client-case.ts";
import { PeerConnection } from "./peer-connection.ts";
import { scriptedWelcome } from "./scripted-welcome.ts";

/** Carries out one step of a case for clients. @throws CaseFailure, HarnessError */
export async function runClientStep(one: ClientCase, { on, as: label, action }: Step): Promise<void> {
  switch (action.case) {
    case "accept":
      return accept(one, on, action.value, label);
    case "acceptNothing": {
      const knock = await one.server.next(one.spanMs(action.value.lasting));
      if (knock !== undefined) throw new CaseFailure("the client opens a connection, and must not");
      return;
    }
    case "command":
      return command(one, action.value, label);
    case "observe":
      return observe(one, action.value, label);
    case "observeNothing":
      return observeNothing(one, action.value);
    case "send":
      return send(one, on, action.value);
    case "sendRaw": {
      const { data, isText } = rawMessage(action.value, {
        text: (text) => one.fill(text),
        json: (json) => one.fill(json),
        frames: (templates) => templates.map((json) => frameOf(one.fill(json))),
        encode: (list) => toBinary(ServerFramesSchema, create(ServerFramesSchema, { frames: [...list] })),
      });
      return one.peer(on).sendRaw(data, isText);
    }
    case "expect":
      return expect(one, on, action.value, label);
    case "expectNothing":
      return nothing(
        one.peer(on).inbox,
        action.value.frames.map((json) => one.fill(json)),
        one.spanMs(action.value.lasting, on),
      );
    case "expectClose":
      return expectClose(one, on, action.value);
    case "close":
      one.peer(on).close(action.value.code);
      one.endedAtMs = performance.now();
      return;
    case "cut":
      one.peer(on).cut();
      one.endedAtMs = performance.now();
      return;
    case "stall":
      return one.peer(on).stall();
    case "unstall":
      return one.peer(on).unstall();
    case "elapse":
      return void (await new Promise((resolve) => setTimeout(resolve, one.spanMs(action.value.lasting, on))));
    case "order":
      return order(one, action.value.labels);
    case "check": {
      const [value, pattern] = [action.value.value, action.value.pattern].map((part) =>
        part === undefined ? null : one.fill(toJson(ValueSchema, part)),
      );
      const problem = mismatch(pattern ?? null, value ?? null, "the value");
      if (problem !== undefined) throw new CaseFailure(problem);
      return;
    }
    default:
      throw new HarnessError(`${action.case ?? "a step without an action"} is no step of a case for clients`);
  }
}

async function accept(one: ClientCase, name: string, options: Accept, label: string): Promise<void> {
  const knock = await one.server.next(one.spanMs(options.within, name));
  if (knock === undefined) throw new CaseFailure("the client opens no connection");
  const sinceMs = knock.atMs - one.endedAtMs;
  if (options.notBefore !== undefined && sinceMs < one.spanMs(options.notBefore, name)) {
    throw new CaseFailure(
      `the client came back after ${Math.round(sinceMs)} ms, and must not before ${one.spanMs(options.notBefore, name)} ms`,
    );
  }
  if (options.status !== 0) {
    knock.refuse(options.status);
    one.endedAtMs = performance.now();
    return one.label(label, { address: knock.address, afterMs: Math.round(sinceMs) });
  }
  const slot = one.slot(name);
  const { history, trace, nextOrder } = one;
  slot.peer = new PeerConnection(await knock.accept(), {
    actor: name,
    trace,
    history,
    nextOrder,
    answersPings: !options.noPong,
  });
  slot.welcome = undefined;
  const [item] = await slot.peer.inbox.take({ patterns: [{ hello: {} }], withinMs: one.patienceMs });
  const hello = (item as Item).json.hello as JsonObject;
  const problem = mismatch(one.fill(options.hello ?? {}), hello, "hello");
  if (problem !== undefined) throw new CaseFailure(`${problem}; the hello is ${shown(hello)}`);
  one.label(label, { hello, address: knock.address, afterMs: Math.round(sinceMs) }, item?.order);
  if (options.noWelcome) return;
  const value = scriptedWelcome({
    hello: fromJson(HelloSchema, hello) as Hello,
    player: one.player,
    former: one.session,
    over: one.fill(options.welcome ?? {}),
  });
  slot.welcome = value;
  one.session = value;
  slot.peer.send([create(ServerFrameSchema, { kind: { case: "welcome", value } })]);
}

async function command(one: ClientCase, { do: asked, done }: Command, label: string): Promise<void> {
  if (asked === undefined) throw new HarnessError("a command says nothing");
  const json = one.fill(toJson(ClientCommandSchema, asked) as JsonObject);
  const { verb } = fromJson(ClientCommandSchema, json);
  const id = one.adapter.command(verb);
  one.label(label, { id });
  if (!done) return;
  const [item] = await one.adapter.reports.take({ patterns: [{ done: { id } }], withinMs: one.patienceMs });
  const { error } = (item as Item).json.done as JsonObject;
  if (error !== undefined) throw new CaseFailure(`${verb.case} failed: ${shown(error)}`);
}

async function observe(one: ClientCase, options: Observe, label: string): Promise<void> {
  const items = await one.adapter.reports.take({
    patterns: options.reports.map((json) => one.fill(json)),
    anyOrder: options.anyOrder,
    times: options.times,
    never: options.never.map((json) => one.fill(json)),
    withinMs: one.spanMs(options.within),
  });
  const last = items.at(-1) as Item;
  one.label(label, last.json, last.order);
}

function observeNothing(one: ClientCase, { reports, lasting }: ObserveNothing): Promise<void> {
  return nothing(
    one.adapter.reports,
    reports.map((json) => one.fill(json)),
    one.spanMs(lasting),
  );
}

async function nothing(inbox: Inbox, patterns: readonly JsonObject[], lastingMs: number): Promise<void> {
  const deadlineMs = performance.now() + lastingMs;
  while (performance.now() < deadlineMs) {
    inbox.refuse(patterns);
    await inbox.changed(deadlineMs);
  }
  inbox.refuse(patterns);
}

function send(one: ClientCase, name: string, { frames, times, joined }: Send): void {
  const messages: ServerFrame[][] = [];
  for (let n = 1; n <= (times || 1); n++) messages.push(frames.map((json) => frameOf(one.fill(json, n))));
  for (const message of joined ? [messages.flat()] : messages) one.peer(name).send(message);
  if (messages.flat().some(({ kind }) => kind.case === "goaway")) one.endedAtMs = performance.now();
}

async function expect(one: ClientCase, name: string, options: Expect, label: string): Promise<void> {
  const startedAtMs = performance.now();
  const items = await one.peer(name).inbox.take({
    patterns: options.frames.map((json) => one.fill(json)),
    anyOrder: options.anyOrder,
    times: options.times,
    never: options.never.map((json) => one.fill(json)),
    withinMs: one.spanMs(options.within, name),
  });
  const last = items.at(-1) as Item;
  const tookMs = last.atMs - startedAtMs;
  if (options.notBefore !== undefined && tookMs < one.spanMs(options.notBefore, name)) {
    throw new CaseFailure(
      `it came after ${Math.round(tookMs)} ms, and must not before ${one.spanMs(options.notBefore, name)} ms`,
    );
  }
  one.label(label, last.json, last.order);
}

async function expectClose(one: ClientCase, name: string, { codes, within, notBefore }: ExpectClose): Promise<void> {
  const peer = one.peer(name);
  const startedAtMs = performance.now();
  const deadlineMs = startedAtMs + one.spanMs(within, name);
  while (peer.endedWith === undefined && performance.now() < deadlineMs) await peer.inbox.changed(deadlineMs);
  if (peer.endedWith === undefined) throw new CaseFailure("the client leaves the connection open, and has to close it");
  const { code, atMs } = peer.endedWith;
  one.endedAtMs = atMs;
  const isWanted = codes.length > 0 ? codes.includes(code) : code === 1005 || code === 1006;
  if (!isWanted) throw new CaseFailure(`the client closed with ${code} instead of ${codes.join(" or ") || "no code"}`);
  if (notBefore !== undefined && atMs - startedAtMs < one.spanMs(notBefore, name)) {
    throw new CaseFailure(`the client closed after ${Math.round(atMs - startedAtMs)} ms, and must not yet`);
  }
}

function order(one: ClientCase, labels: readonly string[]): void {
  for (const [i, name] of labels.slice(1).entries()) {
    const before = labels[i] ?? "";
    if (one.labelled(before).order >= one.labelled(name).order) throw new CaseFailure(`${name} came before ${before}`);
  }
}

function frameOf(json: JsonObject): ServerFrame {
  try {
    return fromJson(ServerFrameSchema, json);
  } catch (cause) {
    throw new HarnessError(`the case describes no frame: ${String(cause)}: ${JSON.stringify(json)}`, { cause });
  }
}
