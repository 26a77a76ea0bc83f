import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  type Begin,
  type ClientCommand,
  ClientCommandSchema,
  type Command,
  ConnectCommandSchema,
  type Enter,
  type ExpectClose,
  type Faults,
  type Observe,
  type ObserveNothing,
  type Step,
  SubscribeCommandSchema,
} from "@fanfare/proto/conformance/v1alpha";
import { faultRule, type RuleValues } from "../fault-proxy/fault-rule.ts";
import { control } from "../run/control-step.ts";
import { CaseFailure, HarnessError } from "../run/failure.ts";
import type { Item } from "../run/inbox.ts";
import { shown } from "../run/match.ts";
import { check, move, order } from "../run/overall-steps.ts";
import type { PairActor } from "./pair-actor.ts";
import type { PairCase } from "./pair-case.ts";

/** Carries out one step of a case for a client and a server. @throws CaseFailure, HarnessError */
export async function runPairStep(one: PairCase, { on, as: label, action }: Step): Promise<void> {
  switch (action.case) {
    case "control":
      return control(one, action.value, label);
    case "order":
      return order(one, action.value);
    case "check":
      return check(one, action.value);
    case "move":
      return move(one, action.value);
  }
  const actor = one.actor(on);
  switch (action.case) {
    case "begin":
      return begin(one, actor, action.value);
    case "enter":
      return enter(one, actor, action.value, label);
    case "command":
      return command(one, actor, action.value, label);
    case "observe":
      return observe(one, actor, action.value, label);
    case "observeNothing":
      return observeNothing(one, actor, action.value);
    case "expectClose":
      return expectClose(one, actor, action.value);
    case "faults":
      return faults(one, actor, action.value);
    case "cut":
      return actor.cut(one.trace);
    case "elapse": {
      const ms = actor.spanMs(action.value.lasting, one.patienceMs);
      return void (await new Promise((resolve) => setTimeout(resolve, ms)));
    }
    default:
      throw new HarnessError(`${action.case ?? "a step without an action"} is no step of a case for pairs`);
  }
}

/** The client connects, as its player unless the case says otherwise. */
async function begin(one: PairCase, actor: PairActor, { connect }: Begin): Promise<void> {
  const { url, tokens, ...rest } = connect ?? create(ConnectCommandSchema);
  const value = create(ConnectCommandSchema, {
    ...rest,
    url: url || (actor.proxy.urls[0] ?? ""),
    tokens: tokens.length === 0 ? [one.token(actor.state.name)] : tokens,
  });
  await done(one, actor, give(one, actor, { case: "connect", value }), "connect");
}

async function enter(one: PairCase, actor: PairActor, { subscribe }: Enter, label: string): Promise<void> {
  const value = subscribe ?? create(SubscribeCommandSchema);
  one.label(label, await done(one, actor, give(one, actor, { case: "subscribe", value }), "subscribe"));
}

async function command(one: PairCase, actor: PairActor, { do: asked, done: waits }: Command, label: string) {
  if (asked === undefined) throw new HarnessError("a command says nothing");
  const id = give(one, actor, asked.verb);
  if (!waits) return one.label(label, { id });
  one.label(label, await done(one, actor, id, asked.verb.case ?? ""));
}

function give(one: PairCase, actor: PairActor, verb: ClientCommand["verb"]): number {
  const json = one.fill(toJson(ClientCommandSchema, create(ClientCommandSchema, { verb })) as JsonObject, actor);
  return actor.command(fromJson(ClientCommandSchema, json).verb);
}

/** Waits until a command has ended well; what it reported. */
async function done(one: PairCase, actor: PairActor, id: number, what: string): Promise<JsonObject> {
  const wish = { patterns: [{ done: { id } }], withinMs: one.patienceMs };
  const [item] = await actor.adapter.reports.take(wish);
  const told = (item as Item).json.done as JsonObject;
  if (told.error !== undefined) throw new CaseFailure(`${what} failed: ${shown(told.error)}`);
  return told;
}

async function observe(one: PairCase, actor: PairActor, options: Observe, label: string): Promise<void> {
  const items = await actor.adapter.reports.take({
    patterns: options.reports.map((json) => one.fill(json, actor)),
    anyOrder: options.anyOrder,
    times: options.times,
    never: options.never.map((json) => one.fill(json, actor)),
    withinMs: actor.spanMs(options.within, one.patienceMs),
  });
  const last = items.at(-1) as Item;
  one.label(label, last.json, last.order);
}

/** One of the client's connections ends with a code, whoever ends it. */
async function expectClose(one: PairCase, actor: PairActor, { codes, within }: ExpectClose): Promise<void> {
  const wanted = codes.length > 0 ? codes : [1005, 1006];
  const withinMs = actor.spanMs(within, one.patienceMs);
  await actor.ends.take({ patterns: [{ ended: { code: { $oneOf: wanted } } }], withinMs });
}

/** Nothing like it was reported so far, or is for a while. */
async function observeNothing(one: PairCase, actor: PairActor, options: ObserveNothing): Promise<void> {
  const { reports } = actor.adapter;
  const patterns = options.reports.map((json) => one.fill(json, actor));
  const lastingMs = options.lasting === undefined ? 0 : actor.spanMs(options.lasting, one.patienceMs);
  const deadlineMs = performance.now() + lastingMs;
  while (performance.now() < deadlineMs) {
    reports.refuse(patterns);
    await reports.changed(deadlineMs);
  }
  reports.refuse(patterns);
}

function faults(one: PairCase, actor: PairActor, { rules, lift }: Faults): void {
  const values: RuleValues = {
    fill: (value) => one.fill(value, actor),
    spanMs: (span) => actor.spanMs(span, one.patienceMs),
  };
  actor.proxy.change(
    rules.map((rule) => faultRule(rule, values)),
    lift,
  );
}
