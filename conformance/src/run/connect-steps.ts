import { clone, create, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import type { ExpectRefusal, Greet, Open } from "@fanfare/proto/conformance/v1alpha";
import {
  ClientFrameSchema,
  type Hello,
  HelloSchema,
  type ServerFrame,
  ServerFrameSchema,
  SubscribeSchema,
  WelcomeSchema,
} from "@fanfare/proto/v1";
import type { ActorState } from "./actor.ts";

import { CaseFailure } from "./failure.ts";
import type { Item } from "./inbox.ts";
import { mismatch, shown } from "./match.ts";
import { Refused } from "./open-socket.ts";
import type { ServerCase } from "./server-case.ts";

/** Opens a WebSocket, and checks the selected subprotocol where the step names one. */
export async function open(one: ServerCase, actor: ActorState, options: Open | undefined): Promise<void> {
  const connection = await one.dial(actor, options);
  actor.attach(connection);
  const wanted = options?.selected ?? "";
  if (wanted !== "" && connection.subprotocol !== wanted) {
    throw new CaseFailure(`the server selected ${shown(connection.subprotocol)}, and has to select ${wanted}`);
  }
}

/** Tries to open a WebSocket where the upgrade has to be refused by a status. */
export async function openRefused(
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

/** Says hello and takes the welcome, unless the step wants none. */
export async function greet(one: ServerCase, actor: ActorState, options: Greet, label: string): Promise<void> {
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

/** Asks for more groups, so that a hello gets as long as a case wants it. */
function fillUp(hello: Hello, bytes: number): void {
  while (toBinary(HelloSchema, hello).length < bytes - 300) {
    const group = `open:${hello.subscriptions.length}-`.padEnd(250, "x");
    hello.subscriptions.push(create(SubscribeSchema, { channel: { kind: { case: "group", value: group } } }));
  }
}
