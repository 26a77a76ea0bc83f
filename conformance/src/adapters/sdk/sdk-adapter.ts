import {
  type ClientCommand,
  type ConnectCommand,
  ConnectionState,
  type HistoryCommand,
  type PresenceCommand,
  type PublishCommand,
  type RpcCommand,
  type SubscribeCommand,
} from "@fanfare/proto/conformance/v1alpha";
import type { Channel as WireChannel } from "@fanfare/proto/v1";
import {
  anyPayload,
  type Channel,
  type Client,
  type ConnectOptions,
  FanfareError,
  type StartFrom,
  type StatusEvent,
  type Target,
  typed,
} from "@fanfare/sdk-core";
import type { Done, Report } from "./report.ts";
import { watchChannel } from "./watch-channel.ts";
import { payloadOf, positionOf, targetOf, wireChannel, wireMember, wirePayload, wirePosition } from "./wire.ts";

/** What a shell of the SDK brings to the adapter. */
export interface SdkShell {
  /** Its name in reports. */
  readonly name: string;
  readonly connect: (options: ConnectOptions) => Promise<Client>;
  readonly report: (one: Report) => void;
  /** As in `ready`. */
  readonly hidesHttpStatus?: boolean;
  /** Ends the client's TCP connections without a close. Absent where the platform cannot. */
  readonly dropTransport?: () => Promise<void> | void;
}

const features = [
  ...["resume", "hand_over", "presence", "report", "server_rpc", "client_rpc", "durable", "history", "cursor"],
];
const verbs = [
  ...["connect", "subscribe", "unsubscribe", "publish", "answer_rpc", "close", "rpc", "presence", "roster"],
  ...["update_presence", "history", "commit", "reset"],
];

/** Does what commands say with a client of the SDK, and reports what it observes. Runs in Node and in pages. */
export class SdkAdapter {
  readonly #shell: SdkShell;
  /** Channels that are received, by kind and name. */
  readonly #channels = new Map<string, Channel>();
  readonly #watched = new WeakSet<Channel>();
  #client: Client | undefined;
  /** Aborted by `reset`: what its clients still tell is nobody's business. */
  #present = new AbortController();

  constructor(shell: SdkShell) {
    this.#shell = shell;
  }

  /** The first report. */
  ready(): void {
    const { name, dropTransport, hidesHttpStatus = false, report } = this.#shell;
    const all = dropTransport === undefined ? verbs : [...verbs, "drop_transport"];
    report({ case: "ready", value: { client: name, features, verbs: all, hidesHttpStatus } });
  }

  /** Carries out a command and reports its end. Never rejects. */
  async execute(command: ClientCommand): Promise<void> {
    const { signal } = this.#present;
    const report = (one: Report) => {
      if (!signal.aborted || command.verb.case === "reset") this.#shell.report(one);
    };
    try {
      report({ case: "done", value: { ...(await this.#run(command)), id: command.id } });
    } catch (thrown) {
      const { code, message, outcome } = FanfareError.from(thrown);
      const published = outcome === undefined ? {} : { published: { outcome } };
      report({ case: "done", value: { id: command.id, error: { code, message }, ...published } });
    }
  }

  async #run({ verb }: ClientCommand): Promise<Done> {
    switch (verb.case) {
      case "connect":
        return this.#connect(verb.value);
      case "subscribe":
        return this.#subscribe(verb.value);
      case "unsubscribe":
        await this.#received(verb.value.channel).leave();
        this.#channels.delete(keyOf(targetOf(verb.value.channel)));
        return {};
      case "publish":
        return this.#publish(targetOf(verb.value.channel), verb.value);
      case "answerRpc": {
        const { payload } = verb.value;
        this.#required.handle(verb.value.method, { request: anyPayload, response: anyPayload }, () => {
          if (payload === undefined) throw new Error("the handler fails");
          return payloadOf(payload);
        });
        return {};
      }
      case "rpc":
        return this.#call(verb.value);
      case "presence":
        return this.#presence(verb.value);
      case "roster":
        return this.#roster(verb.value.channel);
      case "updatePresence": {
        const data = payloadOf(verb.value.data);
        await this.#received(verb.value.channel).updatePresence(typed(anyPayload, data));
        return {};
      }
      case "history":
        return this.#history(verb.value);
      case "commit": {
        const { channel, position } = verb.value;
        const cursor = await this.#received(channel).commit(position && positionOf(position));
        return wirePosition("cursor", cursor);
      }
      case "dropTransport":
        await this.#shell.dropTransport?.();
        return {};
      case "close":
        await this.#required.close();
        return {};
      case "reset":
        return this.#reset();
      default:
        throw new Error(`${verb.case} is not served`);
    }
  }

  get #required(): Client {
    if (this.#client === undefined) throw new Error("there is no client yet");
    return this.#client;
  }

  #received(channel: WireChannel | undefined): Channel {
    const found = this.#channels.get(keyOf(targetOf(channel)));
    if (found === undefined) throw new Error("the channel is not subscribed");
    return found;
  }

  async #connect({ url, tokens, allowedOrigins }: ConnectCommand): Promise<Done> {
    let next = 0;
    const getToken = () => tokens[Math.min(next++, tokens.length - 1)] ?? "";
    const { signal } = this.#present;
    const onStatus = (event: StatusEvent) => {
      if (!signal.aborted) this.#told(event);
    };
    const client = await this.#shell.connect({ url, getToken, allowedOrigins, onStatus, signal });
    signal.addEventListener("abort", () => void client.close());
    this.#client = client;
    this.#watch(this.#client.player);
    this.#watch(this.#client.broadcast);
    return {};
  }

  async #publish(target: Target, command: PublishCommand): Promise<Done> {
    const { payload, volatile, deadlineMs, excludeSelf, wantReport, conflationKey, ttlMs } = command;
    const destination = this.#required.to(target);
    if (volatile) {
      destination.send(anyPayload, payloadOf(payload), { conflate: conflationKey, ttlMs, excludeSelf });
      return {};
    }
    const options = { ttlMs, excludeSelf, report: wantReport, ...(deadlineMs === 0 ? {} : { timeoutMs: deadlineMs }) };
    const { outcome, repeated, position, report } = await destination.publish(anyPayload, payloadOf(payload), options);
    return {
      published: {
        outcome,
        repeated,
        ...wirePosition("position", position),
        ...(report === undefined ? {} : { report }),
      },
    };
  }

  async #subscribe({ channel, presence, presenceData, start }: SubscribeCommand): Promise<Done> {
    const target = targetOf(channel);
    if (target === "broadcast" || !("group" in target)) throw new Error("groups alone can be joined");
    const from = startOf(start);
    const one = await this.#required.join(target.group, {
      ...(presence ? { roster: true } : {}),
      ...(presenceData === undefined ? {} : { presence: typed(anyPayload, payloadOf(presenceData)), roster: presence }),
      ...(from === undefined ? {} : { from }),
    });
    const { deliveryClass, position, head, cursor, recovered } = one;
    const positions = { ...wirePosition("position", position), ...wirePosition("head", head) };
    this.#watch(one);
    return { subscribed: { deliveryClass, recovered, ...positions, ...wirePosition("cursor", cursor) } };
  }

  async #call({ method, payload, deadlineMs }: RpcCommand): Promise<Done> {
    const types = { request: anyPayload, response: anyPayload };
    const options = deadlineMs === 0 ? {} : { timeoutMs: deadlineMs };
    return { result: wirePayload(await this.#required.call(method, types, payloadOf(payload), options)) };
  }

  async #presence({ channel, pageSize, pageToken, countsOnly }: PresenceCommand): Promise<Done> {
    const page = await this.#required.presence(targetOf(channel), { pageSize, pageToken, countsOnly });
    const { members, sessions, players, nextPageToken = "" } = page;
    return { presence: { members: members.map(wireMember), sessions, players, nextPageToken } };
  }

  #roster(channel: WireChannel | undefined): Done {
    const { roster } = this.#received(channel);
    const { countsOnly, sessions, players } = roster;
    return { roster: { members: Array.from(roster, wireMember), countsOnly, sessions, players } };
  }

  async #history({ channel, from, forward, limit }: HistoryCommand): Promise<Done> {
    const target = targetOf(channel);
    const page = await this.#required.to(target).history({
      direction: forward ? "forward" : "backward",
      ...(from === undefined ? {} : { from: positionOf(from) }),
      ...(limit === 0 ? {} : { limit }),
    });
    const messages = page.messages.map(({ payload, volatile, from: sender, origin, position }) => ({
      ...(channel === undefined ? {} : { channel }),
      ...{ payload: wirePayload(payload), volatile, from: sender, origin, ...wirePosition("position", position) },
    }));
    const ends = { ...wirePosition("head", page.head), ...wirePosition("tail", page.tail) };
    return { history: { messages, ...wirePosition("next", page.next), ...ends } };
  }

  #reset(): Done {
    this.#present.abort();
    this.#present = new AbortController();
    this.#channels.clear();
    this.#client = undefined;
    return {};
  }

  #told(event: StatusEvent): void {
    const { report } = this.#shell;
    if (event.type === "connecting") report({ case: "status", value: { state: ConnectionState.CONNECTING } });
    if (event.type === "open") {
      report({ case: "status", value: { state: ConnectionState.CONNECTED, resumed: event.resumed } });
    }
    if (event.type === "closed") {
      const value = { state: ConnectionState.CLOSED, closeCode: event.error?.closeCode ?? 0 };
      report({ case: "status", value });
    }
    if (event.type === "dropped") report({ case: "dropped", value: { count: BigInt(event.count) } });
    if (event.type === "channel-opened") {
      const { target } = event.channel;
      report({ case: "opened", value: { channel: wireChannel(target) } });
      this.#watch(event.channel);
    }
  }

  #watch(one: Channel): void {
    this.#channels.set(keyOf(one.target), one);
    if (this.#watched.has(one)) return;
    this.#watched.add(one);
    const { signal } = this.#present;
    watchChannel(one, (report) => {
      if (!signal.aborted) this.#shell.report(report);
    });
  }
}

function keyOf(target: Target): string {
  return JSON.stringify(target);
}

function startOf({ case: kind, value }: SubscribeCommand["start"]): StartFrom | undefined {
  switch (kind) {
    case "after":
      return { after: positionOf(value) };
    case "rewind":
      return { rewind: value };
    case "cursor":
    case "head":
      return kind;
    default:
      return undefined;
  }
}
