// The smallest adapter that is of use: @fanfare/sdk-node behind fanfare/conformance/v1alpha/adapter.proto, as JSON lines. Write yours like it, in
// the client's own language, and add verbs as the client grows.
//
//     npx fanfare-conformance client --adapter "node adapter.mjs" --profile core
import { createInterface } from "node:readline";
import { anyPayload, connect, FanfareError } from "@fanfare/sdk-node";

const states = { connecting: "CONNECTION_STATE_CONNECTING", open: "CONNECTION_STATE_CONNECTED" };
let client;

/** Standard output is for reports alone: each is one line of JSON. */
function report(one) {
  process.stdout.write(`${JSON.stringify(one)}\n`);
}

function onStatus({ type, resumed, error }) {
  if (type in states) report({ status: { state: states[type], resumed } });
  if (type === "closed") report({ status: { state: "CONNECTION_STATE_CLOSED", closeCode: error?.closeCode } });
}

/** Everything that comes in a channel. */
function watch(channel, wire) {
  channel.on(anyPayload, ({ type, text, json, binary }, { from, volatile }) => {
    const data = binary === undefined ? { text, json } : { binary: Buffer.from(binary).toString("base64") };
    report({ received: { channel: wire, payload: { type, ...data }, from, volatile } });
  });
  channel.on("gap", ({ reason }) => report({ gap: { channel: wire, reason } }));
}

const verbs = {
  async connect({ url, tokens }) {
    let next = 0;
    const getToken = () => tokens[Math.min(next++, tokens.length - 1)];
    client = await connect({ url, getToken, onStatus });
    watch(client.player, { player: client.playerId });
    watch(client.broadcast, { broadcast: true });
  },
  async subscribe({ channel }) {
    watch(await client.join(channel.group), channel);
  },
  async publish({ channel, payload: { type = "", text, json, binary = "" } = {}, volatile }) {
    const bytes = text === undefined && json === undefined ? { binary: Buffer.from(binary, "base64") } : {};
    const destination = client.to(channel.broadcast ? "broadcast" : channel);
    if (volatile) return void destination.send(anyPayload, { type, text, json, ...bytes });
    const { outcome, repeated } = await destination.publish(anyPayload, { type, text, json, ...bytes });
    return { published: { outcome, repeated } };
  },
  async close() {
    await client.close();
  },
};

async function execute({ id, ...command }) {
  const [verb, options] = Object.entries(command)[0];
  try {
    report({ done: { id, ...(await verbs[verb](options)) } });
  } catch (thrown) {
    const { code, message, outcome } = FanfareError.from(thrown);
    report({ done: { id, error: { code, message }, ...(outcome === undefined ? {} : { published: { outcome } }) } });
  }
}

// What the client names in its hello: every one of them, whether this adapter has verbs for it or not.
const features = [
  "resume",
  "hand_over",
  "presence",
  "report",
  "server_rpc",
  "client_rpc",
  "durable",
  "history",
  "cursor",
];
report({ ready: { client: "fanfare-sdk-node, the smallest adapter", features, verbs: Object.keys(verbs) } });
for await (const line of createInterface({ input: process.stdin })) void execute(JSON.parse(line));
process.exit(0);
