import {
  type ClientCommand,
  type ConnectCommand,
  ConnectionState,
  type PublishCommand,
} from "@fanfare/proto/conformance/v1alpha";
import type { Channel as WireChannel } from "@fanfare/proto/v1";
import {
  anyPayload,
  type Channel,
  type Client,
  type ConnectOptions,
  FanfareError,
  type StatusEvent,
  type Target,
} from "@fanfare/sdk-core";
import type { Done, Report } from "./report.ts";
import { payloadOf, targetOf, wireChannel, wirePayload } from "./wire.ts";

/** What a shell of the SDK brings to the adapter. */
export interface SdkShell {
  /** Its name in reports. */
  readonly name: string;
  readonly connect: (options: ConnectOptions) => Promise<Client>;
  readonly report: (one: Report) => void;
  /** As in `ready`. */
  readonly hidesHttpStatus?: boolean;
}

/** Does what commands say with a client of the SDK, and reports what it observes. Runs in Node and in pages. */
export class SdkAdapter {
  readonly #shell: SdkShell;
  readonly #joined = new Map<string, Channel>();
  #client: Client | undefined;

  constructor(shell: SdkShell) {
    this.#shell = shell;
  }

  /** The first report. */
  ready(): void {
    this.#shell.report({
      case: "ready",
      value: {
        client: this.#shell.name,
        hidesHttpStatus: this.#shell.hidesHttpStatus ?? false,
        features: ["resume", "hand_over", "presence", "report", "server_rpc"],
        verbs: ["connect", "subscribe", "unsubscribe", "publish", "answer_rpc", "close"],
      },
    });
  }

  /** Carries out a command and reports its end. Never rejects. */
  async execute(command: ClientCommand): Promise<void> {
    const { report } = this.#shell;
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
        return this.#subscribe(verb.value.channel);
      case "unsubscribe":
        return this.#unsubscribe(verb.value.channel);
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
      case "close":
        await this.#required.close();
        return {};
      default:
        throw new Error(`${verb.case} is not served`);
    }
  }

  get #required(): Client {
    if (this.#client === undefined) throw new Error("there is no client yet");
    return this.#client;
  }

  async #connect({ url, tokens, allowedOrigins }: ConnectCommand): Promise<Done> {
    let next = 0;
    const getToken = () => tokens[Math.min(next++, tokens.length - 1)] ?? "";
    const onStatus = (event: StatusEvent) => this.#told(event);
    this.#client = await this.#shell.connect({ url, getToken, allowedOrigins, onStatus });
    this.#watch(this.#client.player);
    this.#watch(this.#client.broadcast);
    return {};
  }

  async #publish(target: Target, { payload, volatile, deadlineMs }: PublishCommand): Promise<Done> {
    const destination = this.#required.to(target);
    if (volatile) {
      destination.send(anyPayload, payloadOf(payload));
      return {};
    }
    const options = deadlineMs === 0 ? {} : { timeoutMs: deadlineMs };
    const { outcome, repeated } = await destination.publish(anyPayload, payloadOf(payload), options);
    return { published: { outcome, repeated } };
  }

  async #subscribe(channel: WireChannel | undefined): Promise<Done> {
    const target = targetOf(channel);
    if (target === "broadcast" || !("group" in target)) throw new Error("groups alone can be joined");
    const one = await this.#required.join(target.group);
    if (!this.#joined.has(target.group)) this.#watch(one);
    this.#joined.set(target.group, one);
    return {};
  }

  async #unsubscribe(channel: WireChannel | undefined): Promise<Done> {
    const target = targetOf(channel);
    const name = target !== "broadcast" && "group" in target ? target.group : "";
    await this.#joined.get(name)?.leave();
    this.#joined.delete(name);
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
    if (event.type === "channel-opened") this.#watch(event.channel);
  }

  #watch(one: Channel): void {
    const { report } = this.#shell;
    const channel = wireChannel(one.target);
    one.on(anyPayload, (payload, { from, volatile }) =>
      report({ case: "received", value: { channel, payload: wirePayload(payload), from, volatile } }),
    );
    one.on("gap", ({ reason }) =>
      report({ case: "gap", value: { channel, ...(reason === "overflow" ? {} : { reason }) } }),
    );
    one.on("closed", ({ reason }) => report({ case: "closed", value: { channel, reason } }));
  }
}
