import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import {
  type Accept,
  type AcceptNothing,
  AcceptSchema,
  type Begin,
  type ClientCommand,
  type ConnectCommand,
  ConnectCommandSchema,
  type Delays,
} from "@fanfare/proto/conformance/v1alpha";
import { HelloSchema, ServerFrameSchema } from "@fanfare/proto/v1";
import { ClientWatcher } from "../client-rules/client-watcher.ts";
import { CaseFailure } from "../run/failure.ts";
import { subprotocolOf } from "../run/frame-form.ts";
import type { Item } from "../run/inbox.ts";
import { mismatch, shown } from "../run/match.ts";
import type { ClientCase } from "./client-case.ts";
import { finished, give } from "./command-steps.ts";
import { PeerConnection } from "./peer-connection.ts";
import { scriptedWelcome } from "./scripted-welcome.ts";

/** What a busy machine may take by itself for a timer, a process and a handshake: a share of the case's patience. */
const overhead = 0.3;

/** Takes the next connection of the client. */
export async function accept(one: ClientCase, name: string, options: Accept, label: string): Promise<void> {
  const knock = await one.server.next(one.spanMs(options.within, name));
  if (knock === undefined) throw new CaseFailure("the client opens no connection");
  const sinceMs = knock.atMs - one.endedAtMs;
  const afterMs = Math.round(sinceMs);
  if (options.notBefore !== undefined && sinceMs < one.spanMs(options.notBefore, name)) {
    throw new CaseFailure(
      `the client came back after ${afterMs} ms, and must not before ${one.spanMs(options.notBefore, name)} ms`,
    );
  }
  if (options.status !== 0) {
    knock.refuse(options.status);
    one.endedAtMs = performance.now();
    return one.label(label, { address: knock.address, path: knock.request.url ?? "", afterMs });
  }
  const slot = one.slot(name);
  const peer = new PeerConnection(await knock.accept(), {
    actor: name,
    trace: one.trace,
    watcher: one.proxy === undefined ? new ClientWatcher(one.history) : undefined,
    nextOrder: one.nextOrder,
    answersPings: !options.noPong,
  });
  slot.peer = peer;
  slot.welcome = undefined;
  const [item] = await peer.inbox.take({ patterns: [{ hello: {} }], withinMs: one.patienceMs });
  const hello = (item as Item).json.hello as JsonObject;
  const problem = mismatch(one.fill(options.hello ?? {}), hello, "hello");
  if (problem !== undefined) throw new CaseFailure(`${problem}; the hello is ${shown(hello)}`);
  one.label(label, { hello, address: knock.address, path: knock.request.url ?? "", afterMs }, item?.order);
  if (options.noWelcome) return;
  const value = scriptedWelcome({
    hello: fromJson(HelloSchema, hello),
    player: one.player,
    former: one.session,
    over: one.fill(options.welcome ?? {}),
  });
  slot.welcome = value;
  one.session = value;
  peer.send([create(ServerFrameSchema, { kind: { case: "welcome", value } })]);
}

/** Connects the client, up to its report that it is connected. */
export async function begin(one: ClientCase, name: string, options: Begin, label: string): Promise<void> {
  const id = give(one, { case: "connect", value: create(ConnectCommandSchema, options.connect ?? {}) });
  const { hello, welcome, noPong } = options;
  const parts = { ...(hello && { hello }), ...(welcome && { welcome }), noPong };
  await accept(one, name, create(AcceptSchema, parts), label);
  await finished(one, id, "connect");
}

/** The command with what a case leaves out. */
export function connectCommand(one: ClientCase, { ...command }: ConnectCommand): ClientCommand["verb"] {
  const url = command.url || (one.urls[0] ?? "");
  const tokens = command.tokens.length === 0 ? ["token-1"] : command.tokens;
  const isJson = one.form === "json" && command.subprotocols.length === 0;
  const subprotocols = isJson ? [subprotocolOf.json] : command.subprotocols;
  for (const token of tokens) one.history.secrets.add(token);
  return { case: "connect", value: { ...command, url, tokens, subprotocols } };
}

/** No connection comes. */
export async function acceptNothing(one: ClientCase, { lasting }: AcceptNothing): Promise<void> {
  const knock = await one.server.next(one.spanMs(lasting));
  if (knock !== undefined) throw new CaseFailure("the client opens a connection, and must not");
}

/** Looks at the delays before several connections together. */
export function delays(one: ClientCase, { labels, atMostMs, longestOverMs, someShorter }: Delays): void {
  const taken = labels.map((label) => Number((one.labelled(label).json as JsonObject).afterMs));
  one.trace.note("", `delays of ${taken.join(", ")} ms`);
  const overheadMs = overhead * one.patienceMs;
  const late = taken.findIndex((ms, i) => ms > (atMostMs[i] ?? Number.POSITIVE_INFINITY) + overheadMs);
  if (late !== -1) {
    throw new CaseFailure(`the client came back after ${taken[late]} ms, and has to within ${atMostMs[late]} ms`);
  }
  if (longestOverMs > 0 && Math.max(...taken) <= longestOverMs) {
    throw new CaseFailure(`the client came back after ${taken.join(", ")} ms: that is no back-off drawn at random`);
  }
  if (someShorter && taken.every((ms, i) => ms >= 0.9 * (atMostMs[i] ?? 0))) {
    throw new CaseFailure(`the client came back after ${taken.join(", ")} ms: it always waits as long as it may`);
  }
}
