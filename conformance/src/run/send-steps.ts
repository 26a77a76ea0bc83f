import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import type { Request, Send, SendRaw } from "@fanfare/proto/conformance/v1alpha";
import { type ClientFrame, ClientFramesSchema } from "@fanfare/proto/v1";
import { type ActorState, frameOf } from "./actor.ts";
import { CaseFailure } from "./failure.ts";
import type { Item } from "./inbox.ts";
import { mismatch, shown } from "./match.ts";
import { rawMessage } from "./raw-message.ts";
import type { ServerCase } from "./server-case.ts";

/** Sends frames. */
export function send(one: ServerCase, actor: ActorState, { frames, times, joined, concatenated }: Send): void {
  const messages: ClientFrame[][] = [];
  for (let n = 1; n <= (times || 1); n++) messages.push(frames.map((json) => frameOf(one.fill(json, actor, n))));
  for (const message of joined ? [messages.flat()] : messages) actor.connection.send(message, concatenated);
}

/** Sends WebSocket messages as they are. */
export function sendRaw(one: ServerCase, actor: ActorState, raw: SendRaw): void {
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

/** How long to wait before a request is asked again, in milliseconds: longer than the fixtures' rate of publishes wants it. */
const againMs = 60;

/** Sends a request and takes its reply. */
export async function request(one: ServerCase, actor: ActorState, options: Request, label: string): Promise<void> {
  for (let n = 1; n <= (options.times || 1); n++) {
    const deadlineMs = performance.now() + (options.eventually ? one.environment.patienceMs : 0);
    for (;;) {
      const { json, order } = await ask(one, actor, options, n);
      const problem = mismatch(one.fill(options.reply ?? {}, actor, n), json.reply, "reply");
      one.label(label, json.reply as JsonObject, order);
      if (problem === undefined) break;
      if (performance.now() >= deadlineMs) throw new CaseFailure(`${problem}; the reply is ${shown(json.reply)}`);
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }
}

async function ask(one: ServerCase, actor: ActorState, { frame }: Request, n: number): Promise<Item> {
  const id = actor.nextId();
  actor.connection.send([frameOf({ ...one.fill(frame ?? {}, actor, n), id })]);
  const [item] = await actor.connection.inbox.take({
    patterns: [{ id, reply: {} }],
    withinMs: one.environment.patienceMs,
  });
  return item as Item;
}
