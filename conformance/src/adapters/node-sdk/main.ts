import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientCommand,
  ClientCommandSchema,
  ClientReportSchema,
  type ConnectCommand,
  ConnectionState,
  type PublishCommand,
} from "@fanfare/proto/conformance/v1alpha";
import type { Channel as WireChannel } from "@fanfare/proto/v1";
import {
  anyPayload,
  type Channel,
  type Client,
  connect,
  FanfareError,
  type Payload,
  type StatusEvent,
  type Target,
} from "@fanfare/sdk-node";
import { framed, readFramed } from "../length-prefixed.ts";

// The adapter of @fanfare/sdk-node: does what commands on standard input say, and reports on standard output.

type Report = NonNullable<MessageInitShape<typeof ClientReportSchema>["report"]>;
type Done = Extract<Report, { case: "done" }>["value"];

let client: Client | undefined;
const joined = new Map<string, Channel>();

function report(one: Report): void {
  process.stdout.write(framed(ClientReportSchema, create(ClientReportSchema, { report: one })));
}

function targetOf(channel: WireChannel | undefined): Target {
  const kind = channel?.kind;
  if (kind?.case === "group") return { group: kind.value };
  return kind?.case === "player" ? { player: kind.value } : "broadcast";
}

function wireOf(target: Target): MessageInitShape<typeof ClientReportSchema> & { kind: WireChannel["kind"] } {
  if (target === "broadcast") return { kind: { case: "broadcast", value: true } };
  return {
    kind: "group" in target ? { case: "group", value: target.group } : { case: "player", value: target.player },
  };
}

function watch(channel: Channel): void {
  const wire = { kind: wireOf(channel.target).kind };
  channel.on(anyPayload, (payload, meta) =>
    report({
      case: "received",
      value: { channel: wire, payload: wirePayload(payload), from: meta.from, volatile: meta.volatile },
    }),
  );
  channel.on("gap", ({ reason }) =>
    report({ case: "gap", value: { channel: wire, ...(reason === "overflow" ? {} : { reason }) } }),
  );
  channel.on("closed", ({ reason }) => report({ case: "closed", value: { channel: wire, reason } }));
}

function wirePayload({ type, binary, text, json }: Payload) {
  if (text !== undefined) return { type, data: { case: "text" as const, value: text } };
  if (json !== undefined) return { type, data: { case: "json" as const, value: json } };
  return { type, data: { case: "binary" as const, value: binary ?? new Uint8Array() } };
}

function payloadOf(payload: PublishCommand["payload"]): Payload {
  const { type = "", data } = payload ?? {};
  if (data?.case === "text") return { type, text: data.value };
  return data?.case === "json" ? { type, json: data.value } : { type, binary: data?.value ?? new Uint8Array() };
}

function onStatus(event: StatusEvent): void {
  if (event.type === "connecting") report({ case: "status", value: { state: ConnectionState.CONNECTING } });
  if (event.type === "open")
    report({ case: "status", value: { state: ConnectionState.CONNECTED, resumed: event.resumed } });
  if (event.type === "closed") {
    report({ case: "status", value: { state: ConnectionState.CLOSED, closeCode: event.error?.closeCode ?? 0 } });
  }
  if (event.type === "channel-opened") watch(event.channel);
}

async function open({ url, tokens, allowedOrigins }: ConnectCommand): Promise<Done> {
  let next = 0;
  const getToken = () => tokens[Math.min(next++, tokens.length - 1)] ?? "";
  client = await connect({ url, getToken, allowedOrigins, onStatus });
  watch(client.player);
  watch(client.broadcast);
  return {};
}

async function publish(target: Target, { payload, volatile, deadlineMs }: PublishCommand): Promise<Done> {
  const destination = required().to(target);
  if (volatile) {
    destination.send(anyPayload, payloadOf(payload));
    return {};
  }
  const options = deadlineMs === 0 ? {} : { timeoutMs: deadlineMs };
  const { outcome, repeated } = await destination.publish(anyPayload, payloadOf(payload), options);
  return { published: { outcome, repeated } };
}

async function subscribe(channel: WireChannel | undefined): Promise<Done> {
  const target = targetOf(channel);
  if (target === "broadcast" || !("group" in target)) throw new Error("groups alone can be joined");
  const one = await required().join(target.group);
  if (!joined.has(target.group)) watch(one);
  joined.set(target.group, one);
  return {};
}

async function unsubscribe(channel: WireChannel | undefined): Promise<Done> {
  const target = targetOf(channel);
  const name = target !== "broadcast" && "group" in target ? target.group : "";
  await joined.get(name)?.leave();
  joined.delete(name);
  return {};
}

function required(): Client {
  if (client === undefined) throw new Error("there is no client yet");
  return client;
}

async function run({ verb }: ClientCommand): Promise<Done> {
  switch (verb.case) {
    case "connect":
      return open(verb.value);
    case "subscribe":
      return subscribe(verb.value.channel);
    case "unsubscribe":
      return unsubscribe(verb.value.channel);
    case "publish":
      return publish(targetOf(verb.value.channel), verb.value);
    case "answerRpc": {
      const { payload } = verb.value;
      required().handle(verb.value.method, { request: anyPayload, response: anyPayload }, () => {
        if (payload === undefined) throw new Error("the handler fails");
        return payloadOf(payload);
      });
      return {};
    }
    case "close":
      await required().close();
      return {};
    default:
      throw new Error(`${verb.case} is not served`);
  }
}

async function execute(command: ClientCommand): Promise<void> {
  try {
    report({ case: "done", value: { ...(await run(command)), id: command.id } });
  } catch (thrown) {
    const { code, message, outcome } = FanfareError.from(thrown);
    const published = outcome === undefined ? {} : { published: { outcome } };
    report({ case: "done", value: { id: command.id, error: { code, message }, ...published } });
  }
}

report({
  case: "ready",
  value: {
    client: "fanfare-sdk-node",
    features: ["resume", "hand_over", "presence", "report", "server_rpc"],
    verbs: ["connect", "subscribe", "unsubscribe", "publish", "answer_rpc", "close"],
  },
});
for await (const command of readFramed(ClientCommandSchema, process.stdin)) void execute(command);
process.exit(0);
