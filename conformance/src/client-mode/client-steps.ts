import { create, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Expect, ExpectClose, ExpectNothing, Faults, Send, Step } from "@fanfare/proto/conformance/v1alpha";
import { type ServerFrame, ServerFramesSchema } from "@fanfare/proto/v1";
import { faultRule } from "../fault-proxy/fault-rule.ts";
import { CaseFailure, HarnessError } from "../run/failure.ts";
import type { Item } from "../run/inbox.ts";
import { mismatch } from "../run/match.ts";
import { rawMessage } from "../run/raw-message.ts";
import { accept, acceptNothing, begin, delays } from "./accept-steps.ts";
import type { ClientCase } from "./client-case.ts";
import { answer, command, enter, frameOf, nothing, observe, observeNothing, settle } from "./command-steps.ts";

/** Carries out one step of a case for clients. @throws CaseFailure, HarnessError */
export async function runClientStep(one: ClientCase, { on, as: label, action }: Step): Promise<void> {
  switch (action.case) {
    case "accept":
      return accept(one, on, action.value, label);
    case "acceptNothing":
      return acceptNothing(one, action.value);
    case "begin":
      return begin(one, on, action.value, label);
    case "enter":
      return enter(one, on, action.value, label);
    case "answer":
      return answer(one, on, action.value, label);
    case "delays":
      return delays(one, action.value);
    case "command":
      return command(one, action.value, label);
    case "observe":
      return observe(one, action.value, label);
    case "observeNothing":
      return observeNothing(one, on, action.value);
    case "settle":
      return settle(one, on);
    case "freeze":
    case "thaw":
      one.adapter.freeze?.(action.case === "freeze");
      return;
    case "faults":
      return faults(one, action.value);
    case "send":
      return send(one, on, action.value);
    case "sendRaw": {
      if (action.value.data.case === "websocketPing") return one.peer(on).sendWebSocketPing();
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
      return expectNothing(one, on, action.value);
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

function faults(one: ClientCase, { rules, lift }: Faults): void {
  const values = {
    fill: <T extends JsonValue>(json: T) => one.fill(json),
    spanMs: (span: Parameters<ClientCase["spanMs"]>[0]) => one.spanMs(span),
  };
  one.proxy?.change(
    rules.map((rule) => faultRule(rule, values)),
    lift,
  );
}

function send(one: ClientCase, name: string, { frames, times, joined }: Send): void {
  const messages: ServerFrame[][] = [];
  for (let n = 1; n <= (times || 1); n++) messages.push(frames.map((json) => frameOf(one.fill(json, n))));
  for (const message of joined ? [messages.flat()] : messages) one.peer(name).send(message);
  for (const { kind } of messages.flat()) {
    if (kind.case !== "goaway") continue;
    one.goaway = kind.value;
    one.endedAtMs = performance.now();
  }
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

/** Without a time: until the client has answered a ping that comes behind everything sent before. */
async function expectNothing(one: ClientCase, name: string, { frames, lasting }: ExpectNothing): Promise<void> {
  const { inbox } = one.peer(name);
  const patterns = frames.map((json) => one.fill(json));
  if (lasting !== undefined) return nothing(inbox, patterns, one.spanMs(lasting, name));
  await settle(one, name);
  const id = 1_000_000 + one.nextMarker();
  one.peer(name).send([frameOf({ id, ping: { sentAtUs: String(Date.now() * 1000) } })]);
  await inbox.take({ patterns: [{ id, pong: {} }], never: patterns, withinMs: one.patienceMs });
  inbox.refuse(patterns);
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
