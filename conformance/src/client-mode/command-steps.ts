import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  type Answer,
  type ClientCommand,
  ClientCommandSchema,
  type Command,
  type Enter,
  type Observe,
  type ObserveNothing,
  SubscribeCommandSchema,
} from "@fanfare/proto/conformance/v1alpha";
import { ClientFrameSchema, type ServerFrame, ServerFrameSchema, SubscribeSchema } from "@fanfare/proto/v1";
import { CaseFailure, HarnessError } from "../run/failure.ts";
import type { Inbox, Item } from "../run/inbox.ts";
import { shown } from "../run/match.ts";
import { connectCommand } from "./accept-steps.ts";
import type { ClientCase } from "./client-case.ts";
import { scriptedSubscribed } from "./scripted-welcome.ts";

/** Origin of the runner's own messages. */
const markerOrigin = 900_001n;

/** Tells the client to do something. */
export async function command(one: ClientCase, { do: asked, done }: Command, label: string): Promise<void> {
  if (asked === undefined) throw new HarnessError("a command says nothing");
  const id = give(one, asked.verb);
  one.label(label, { id });
  if (done) await finished(one, id, asked.verb.case ?? "");
}

/** Gives the client a command; returns its id. */
export function give(one: ClientCase, verb: ClientCommand["verb"]): number {
  const json = one.fill(toJson(ClientCommandSchema, create(ClientCommandSchema, { verb })) as JsonObject);
  const filled = fromJson(ClientCommandSchema, json).verb;
  return one.adapter.command(filled.case === "connect" ? connectCommand(one, filled.value) : filled);
}

/** Waits until a command has ended well. */
export async function finished(one: ClientCase, id: number, what: string): Promise<void> {
  const { reports } = one.adapter;
  const [item] = await reports.take({ patterns: [{ done: { id } }], withinMs: one.patienceMs, keepsPlace: true });
  const { error } = (item as Item).json.done as JsonObject;
  if (error !== undefined) throw new CaseFailure(`${what} failed: ${shown(error)}`);
}

/** The client subscribes, up to its report that it is done. */
export async function enter(one: ClientCase, name: string, options: Enter, label: string): Promise<void> {
  const { subscribe = create(SubscribeCommandSchema), request, subscribed, then } = options;
  const id = give(one, { case: "subscribe", value: subscribe });
  const item = await taken(one, name, one.fill(request ?? { subscribe: {} }));
  const asked = fromJson(SubscribeSchema, item.json.subscribe as JsonObject);
  const value = scriptedSubscribed(asked, one.fill(subscribed ?? {}));
  const result = { case: "subscribed" as const, value };
  const reply = create(ServerFrameSchema, {
    id: Number(item.json.id),
    kind: { case: "reply", value: { result } },
  });
  one.peer(name).send([reply, ...then.map((json) => frameOf(one.fill(json)))]);
  await finished(one, id, "subscribe");
  one.label(label, item.json, item.order);
}

/** Takes a request and answers it. */
export async function answer(one: ClientCase, name: string, options: Answer, label: string): Promise<void> {
  const { request, with: reply, then, never } = options;
  const item = await taken(
    one,
    name,
    one.fill(request ?? {}),
    never.map((json) => one.fill(json)),
  );
  one.label(label, item.json, item.order);
  const frame = frameOf({ ...one.fill(reply ?? {}), id: item.json.id ?? 0 });
  one.peer(name).send([frame, ...then.map((json) => frameOf(one.fill(json)))]);
}

async function taken(one: ClientCase, name: string, pattern: JsonObject, never: JsonObject[] = []): Promise<Item> {
  const { inbox } = one.peer(name);
  const [item] = await inbox.take({ patterns: [pattern], never, withinMs: one.patienceMs });
  fromJson(ClientFrameSchema, (item as Item).json);
  return item as Item;
}

/** Takes what the client reports. */
export async function observe(one: ClientCase, options: Observe, label: string): Promise<void> {
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

/** No such report comes. */
export async function observeNothing(one: ClientCase, name: string, options: ObserveNothing): Promise<void> {
  const reports = options.reports.map((json) => one.fill(json));
  if (options.lasting !== undefined) return nothing(one.adapter.reports, reports, one.spanMs(options.lasting, name));
  await settle(one, name);
  one.adapter.reports.refuse(reports);
}

/** Waits until the client has handed on everything that was sent to it before: its application sees a message of the runner's own. */
export async function settle(one: ClientCase, name: string): Promise<void> {
  const text = `marker ${one.nextMarker()}`;
  const { peer } = one.slot(name);
  const json: JsonObject = { channel: { player: one.player }, payload: { text }, sentAtMs: "1" };
  peer?.send([frameOf({ message: { ...json, origin: String(markerOrigin), seq: String(one.nextOrder()) } })]);
  const patterns = [{ received: { payload: { text } } }];
  await one.adapter.reports.take({ patterns, withinMs: one.patienceMs, keepsPlace: true });
}

/** Nothing that matches comes for a while. */
export async function nothing(inbox: Inbox, patterns: readonly JsonObject[], lastingMs: number): Promise<void> {
  const deadlineMs = performance.now() + lastingMs;
  while (performance.now() < deadlineMs) {
    inbox.refuse(patterns);
    await inbox.changed(deadlineMs);
  }
  inbox.refuse(patterns);
}

/** A frame of a template whose placeholders are filled in. @throws HarnessError when it is none */
export function frameOf(json: JsonObject): ServerFrame {
  try {
    return fromJson(ServerFrameSchema, json);
  } catch (cause) {
    throw new HarnessError(`the case describes no frame: ${String(cause)}: ${JSON.stringify(json)}`, { cause });
  }
}
