import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientCommand,
  type ClientReport,
  ClientReportSchema,
  ConnectionState,
  type HistoryCommand,
  type PublishCommand,
  type RpcCommand,
  type SubscribeCommand,
} from "@fanfare/proto/conformance/v1alpha";
import {
  type Channel,
  ErrorCode,
  HistoryDirection,
  PublishSchema,
  type Reply,
  SubscribeSchema,
} from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import { ReferenceClient } from "./client.ts";
import { ClientFailure } from "./failure.ts";
import { servedFeatures } from "./hello.ts";
import type { RequestKind } from "./requests.ts";
import type { Subscription } from "./subscriptions.ts";

type Report = NonNullable<MessageInitShape<typeof ClientReportSchema>["report"]>;
type Done = Extract<Report, { case: "done" }>["value"];

const verbs = [
  ...["connect", "subscribe", "unsubscribe", "publish", "answer_rpc", "drop_transport", "close", "rpc", "presence"],
  ...["roster", "update_presence", "history", "commit", "reset"],
];

/** Commands the reference client. */
export class ReferenceAdapter {
  readonly #breaks: ClientBreaks;
  readonly #emit: (report: ClientReport) => void;
  #client: ReferenceClient | undefined;

  constructor(breaks: ClientBreaks, emit: (report: ClientReport) => void) {
    this.#breaks = breaks;
    this.#emit = emit;
  }

  /** The first report. */
  ready(): void {
    const features = [...servedFeatures];
    const subprotocols = ["fanfare.v1.proto", "fanfare.v1.json"];
    this.#report({ case: "ready", value: { client: "fanfare-reference-client", features, verbs, subprotocols } });
  }

  /** Carries out a command and reports its end. Never rejects. */
  async execute({ id, verb }: ClientCommand): Promise<void> {
    try {
      this.#report({ case: "done", value: { ...(await this.#run(verb)), id } });
    } catch (thrown) {
      const { code = ErrorCode.INTERNAL, message, outcome } = thrown as ClientFailure;
      const published = outcome === undefined ? {} : { published: { outcome } };
      this.#report({ case: "done", value: { id, error: { code, message }, ...published } });
    }
  }

  destroy(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  #report(report: Report): void {
    this.#emit(create(ClientReportSchema, { report }));
  }

  async #run(verb: ClientCommand["verb"]): Promise<Done> {
    switch (verb.case) {
      case "connect":
        return this.#connect(verb.value);
      case "subscribe":
        return this.#subscribe(verb.value);
      case "unsubscribe": {
        const { channel } = verb.value;
        if (channel === undefined) return {};
        this.#required.subscriptions.drop(channel);
        await this.#ask({ case: "unsubscribe", value: { $typeName: "fanfare.v1.Unsubscribe", channel } });
        return {};
      }
      case "publish":
        return this.#publish(verb.value);
      case "answerRpc":
        this.#required.calls.answer(verb.value.method, verb.value.payload);
        return {};
      case "rpc":
        return this.#call(verb.value);
      case "presence": {
        const { channel, pageSize, pageToken, countsOnly } = verb.value;
        const query = { $typeName: "fanfare.v1.PresenceQuery" as const, pageSize, pageToken, countsOnly };
        this.#need("presence");
        const { result } = await this.#ask({ case: "presence", value: { ...query, ...(channel && { channel }) } });
        return result.case === "presencePage" ? { presence: result.value } : {};
      }
      case "roster": {
        const { roster } = this.#subscription(verb.value.channel);
        const { members, counts } = roster;
        const { sessions, players } = counts ?? {
          sessions: members.length,
          players: new Set(members.map(({ playerId }) => playerId)).size,
        };
        return { roster: { members: counts ? [] : members, countsOnly: counts !== undefined, sessions, players } };
      }
      case "updatePresence": {
        const { channel, data } = verb.value;
        const update = { $typeName: "fanfare.v1.PresenceUpdate" as const, ...(channel && { channel }) };
        this.#need("presence");
        await this.#ask({ case: "presenceUpdate", value: { ...update, ...(data && { data }) } });
        return {};
      }
      case "history":
        return this.#history(verb.value);
      case "commit": {
        const { channel, position } = verb.value;
        const at = this.#subscription(channel).position;
        const handed = this.#breaks.has("commits-what-it-received") ? at?.received : at?.current;
        const where = position ?? handed;
        const commit = { $typeName: "fanfare.v1.CursorCommit" as const, ...(channel && { channel }) };
        this.#need("cursor");
        const { result } = await this.#ask({
          case: "cursorCommit",
          value: { ...commit, ...(where && { position: where }) },
        });
        return result.case === "cursorCommitted" && result.value.cursor ? { cursor: result.value.cursor } : {};
      }
      case "dropTransport":
        this.#required.drop();
        return {};
      case "close":
        await this.#required.close();
        return {};
      case "reset":
        this.destroy();
        return {};
      default:
        throw new Error(`${verb.case} is not served`);
    }
  }

  get #required(): ReferenceClient {
    if (this.#client === undefined) throw new Error("there is no client yet");
    return this.#client;
  }

  #subscription(channel: Channel | undefined): Subscription {
    const found = this.#required.subscriptions.get(channel);
    if (found === undefined) throw new ClientFailure(ErrorCode.NOT_SUBSCRIBED, "the channel is not subscribed");
    return found;
  }

  #need(feature: string): void {
    if (this.#required.features.has(feature)) return;
    throw new ClientFailure(ErrorCode.UNIMPLEMENTED, `the server does not offer ${feature}`);
  }

  #ask(kind: RequestKind, onReply?: (reply: Reply) => void): Promise<Reply> {
    return this.#required.requests.send(kind, onReply);
  }

  async #connect(command: Extract<ClientCommand["verb"], { case: "connect" }>["value"]): Promise<Done> {
    const { url, tokens, allowedOrigins } = command;
    const subprotocols = command.subprotocols.length > 0 ? command.subprotocols : ["fanfare.v1.proto"];
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    const breaks = this.#breaks;
    this.#client?.destroy();
    const client = new ReferenceClient(
      { url, tokens, allowedOrigins, subprotocols, breaks },
      {
        connecting: () => this.#report({ case: "status", value: { state: ConnectionState.CONNECTING } }),
        connected: (resumed) => {
          this.#report({ case: "status", value: { state: ConnectionState.CONNECTED, resumed } });
          resolve({});
        },
        closed: (closeCode) => {
          this.#report({ case: "status", value: { state: ConnectionState.CLOSED, closeCode } });
          reject(new ClientFailure(ErrorCode.SESSION_ENDED, `closed with ${closeCode}`));
        },
        dropped: (count) => this.#report({ case: "dropped", value: { count } }),
        received: ({ channel, payload, volatile, from, origin }, position) =>
          this.#report({
            case: "received",
            value: {
              volatile,
              from,
              origin,
              ...(channel && { channel }),
              ...(payload && { payload }),
              ...(position && { position }),
            },
          }),
        gap: (channel, gap) => {
          const { reason, from, to, missed } = gap;
          this.#report({ case: "gap", value: { channel, reason, missed, ...(from && { from }), ...(to && { to }) } });
        },
        opened: (channel) => this.#report({ case: "opened", value: { channel } }),
        closedChannel: (channel, reason) => this.#report({ case: "closed", value: { channel, reason } }),
        caughtUp: (channel, position) => this.#report({ case: "caughtUp", value: { channel, position } }),
        presence: (channel, change, { counts }) => {
          if (change === "counts" && counts !== undefined) {
            return this.#report({ case: "presence", value: { channel, change: { case: "counts", value: counts } } });
          }
          if (typeof change === "string") {
            return this.#report({ case: "presence", value: { channel, change: { case: "synced", value: true } } });
          }
          const { origin, generation, playerId } = change.member;
          if (change.kind !== "left") {
            const { kind, member: value } = change;
            return this.#report({ case: "presence", value: { channel, change: { case: kind, value } } });
          }
          const value = { origin, generation, playerId, reason: change.reason };
          this.#report({ case: "presence", value: { channel, change: { case: "left", value } } });
        },
      },
    );
    this.#client = client;
    client.connect();
    return promise;
  }

  async #subscribe({ channel, presence, presenceData, start }: SubscribeCommand): Promise<Done> {
    const { subscriptions, features } = this.#required;
    if (channel === undefined) throw new ClientFailure(ErrorCode.INVALID_ARGUMENT, "no channel");
    const shows = features.has("presence") || this.#breaks.has("features-taken-for-granted");
    const wanted = create(SubscribeSchema, { channel, presence: presence && shows });
    if (presenceData !== undefined && shows) wanted.presenceData = presenceData;
    const before = subscriptions.get(channel);
    const one = subscriptions.want(wanted);
    const restarts = start.case !== undefined;
    const value = restarts ? create(SubscribeSchema, { ...wanted, start }) : subscriptions.again(one);
    try {
      const { result } = await this.#ask({ case: "subscribe", value }, (reply) => {
        if (reply.result.case === "subscribed") subscriptions.opened(channel, reply.result.value, restarts);
      });
      return result.case === "subscribed" ? { subscribed: result.value } : {};
    } catch (thrown) {
      if (before?.subscribed === undefined) subscriptions.drop(channel);
      throw thrown;
    }
  }

  async #publish(command: PublishCommand): Promise<Done> {
    const { channel, payload, volatile, deadlineMs, excludeSelf, wantReport, conflationKey, ttlMs } = command;
    const { publishes, features } = this.#required;
    const publish = create(PublishSchema, {
      ...{ volatile, excludeSelf, conflationKey, ttlMs, wantReport: wantReport && features.has("report") },
      ...(channel && { channel }),
      ...(payload && { payload }),
    });
    if (!volatile) return { published: await publishes.publish(publish, deadlineMs) };
    publishes.send(publish);
    return {};
  }

  async #call({ method, payload, deadlineMs }: RpcCommand): Promise<Done> {
    this.#need("client_rpc");
    const waitMs = deadlineMs || 5_000;
    const rpc = { $typeName: "fanfare.v1.Rpc" as const, method, deadlineMs: waitMs, ...(payload && { payload }) };
    const { requests } = this.#required;
    const lateMs = this.#breaks.has("calls-wait-forever") ? 0 : waitMs;
    const { result } = await requests.send({ case: "rpc", value: rpc }, () => {}, lateMs, true);
    if (result.case !== "rpcResult" || result.value.result.case === undefined) return {};
    const { result: outcome } = result.value;
    if (outcome.case === "error") throw new ClientFailure(outcome.value.code, outcome.value.message);
    return { result: outcome.value };
  }

  async #history({ channel, from, forward, limit }: HistoryCommand): Promise<Done> {
    this.#need("history");
    const direction = forward ? HistoryDirection.FORWARD : HistoryDirection.BACKWARD;
    const query = { $typeName: "fanfare.v1.HistoryQuery" as const, direction, limit, ...(channel && { channel }) };
    const { result } = await this.#ask({ case: "history", value: { ...query, ...(from && { from }) } });
    if (result.case !== "historyPage") return {};
    const { messages, next, head, tail } = result.value;
    return {
      history: {
        messages: messages.map(({ log, origin, from: sender, volatile, payload }) => ({
          ...{ origin, from: sender, volatile, ...(channel && { channel }), ...(payload && { payload }) },
          ...(log && { position: { epoch: head?.epoch ?? 0n, offset: log.offset, tag: log.tag } }),
        })),
        ...{ ...(next && { next }), ...(head && { head }), ...(tail && { tail }) },
      },
    };
  }
}
