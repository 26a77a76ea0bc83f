import {
  anyPayload,
  type Channel,
  type Client,
  connect,
  FanfareError,
  type StatusEvent,
  type TappedFrame,
} from "@fanfare/sdk-browser";
import { Composer, type Draft } from "./composer.ts";
import { ConnectionStatus } from "./connection-status.ts";
import { developmentToken } from "./credentials.ts";
import { deliveryOf } from "./delivery.ts";
import { button, element, labelled } from "./element.ts";
import { GroupList } from "./group-list.ts";
import { MessageLog } from "./message-log.ts";
import { targetText } from "./readable.ts";
import { connectAddress, dropTransport } from "./transport.ts";

/** What a card begins with. */
export interface PlayerCardOptions {
  /** Heading, and the name of its WebSockets. */
  readonly side: string;
  readonly name: string;
  /** Whom the form suggests to write to. */
  readonly otherName: string;
  readonly onFrame: (player: string, frame: TappedFrame) => void;
}

/** The lowest that a server takes by default, so that there is something to see. */
const heartbeatIntervalMs = 5000;

/** One player: connects, joins, sends and shows what comes. */
export class PlayerCard {
  readonly root: HTMLElement;
  readonly #options: PlayerCardOptions;
  readonly #name: HTMLInputElement;
  readonly #connect = element("button", { type: "submit", class: "primary" }, "Connect");
  readonly #drop: HTMLButtonElement;
  readonly #status = new ConnectionStatus();
  readonly #groups: GroupList;
  readonly #log: MessageLog;
  readonly #composer: Composer;
  /** Joined with every new session. */
  #wantedGroups: readonly string[] = ["lobby"];
  readonly #gaps: string[] = [];
  #client: Client | undefined;
  #connecting: AbortController | undefined;

  constructor(options: PlayerCardOptions) {
    this.#options = options;
    const { side, name, otherName } = options;
    const id = side.toLowerCase().replaceAll(" ", "-");
    this.#name = element("input", {
      value: name,
      required: true,
      maxlength: 128,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.#drop = button("Drop transport", () => dropTransport(side), {
      disabled: true,
      title: "closes the WebSocket behind the client's back; the session is resumed",
    });
    this.#log = new MessageLog(`Messages of ${side}`);
    this.#groups = new GroupList(`Groups of ${side}`, {
      join: (group) => void this.#join(group),
      leave: (group) => void this.#leave(group),
    });
    this.#composer = new Composer(otherName, (draft) => void this.#send(draft));
    const form = element("form", { class: "row who" }, labelled("Name", this.#name, "grow"), this.#connect, this.#drop);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#connecting === undefined) void this.connect();
      else void this.disconnect();
    });
    this.root = element(
      "section",
      { class: "card player", "aria-labelledby": id },
      element("h2", { id }, side),
      form,
      this.#status.root,
      this.#groups.root,
      this.#log.root,
      this.#composer.root,
    );
  }

  /** Opens a session and joins the groups it had. */
  async connect(): Promise<void> {
    const player = this.#name.value.trim();
    const connecting = new AbortController();
    this.#connecting = connecting;
    this.#showConnected();
    try {
      const client = await connect({
        url: connectAddress(this.#options.side),
        getToken: ({ signal }) => developmentToken(player, signal),
        heartbeatIntervalMs,
        signal: connecting.signal,
        onStatus: (event) => this.#onStatus(event),
        onFrame: (frame) => this.#onFrame(player, frame),
      });
      this.#client = client;
      this.#showConnected();
      this.#receive(client, client.player);
      this.#receive(client, client.broadcast);
      for (const group of this.#wantedGroups) await this.#join(group);
    } catch (error) {
      if (!connecting.signal.aborted) this.#log.note(`Not connected: ${FanfareError.from(error).message}`);
      this.#ended();
    }
  }

  /** Ends the session. */
  async disconnect(): Promise<void> {
    this.#connecting?.abort();
    await this.#client?.close("the player left the playground");
  }

  async #join(group: string): Promise<void> {
    const client = this.#client;
    if (client === undefined || group === "") return;
    try {
      const isNew = !this.#groups.names.includes(group);
      const channel = await client.join(group, { presence: { page: "playground" } });
      if (isNew) this.#receive(client, channel);
      this.#groups.add(group, channel, () => client.origin);
    } catch (error) {
      this.#log.note(`${group} was not joined: ${FanfareError.from(error).message}`);
    }
  }

  async #leave(group: string): Promise<void> {
    const channel = this.#client?.channels.find(
      ({ target }) => target !== "broadcast" && "group" in target && target.group === group,
    );
    this.#groups.remove(group);
    await channel?.leave().catch((error: unknown) => this.#log.note(FanfareError.from(error).message));
  }

  async #send({ target, payload, volatile, excludeSelf }: Draft): Promise<void> {
    const destination = this.#client?.to(target);
    if (destination === undefined) return;
    if (volatile) {
      const sent = destination.send(anyPayload, payload, { excludeSelf });
      const text = sent ? "Sent as volatile; nobody says what became of it." : "Dropped: there is no connection.";
      this.#composer.delivery = { text, isFailure: !sent };
      return;
    }
    const startedAtMs = performance.now();
    this.#composer.delivery = { text: "Sending…", isFailure: false };
    const result = await destination
      .publish(anyPayload, payload, { excludeSelf, report: true })
      .catch(FanfareError.from);
    this.#composer.delivery = deliveryOf(result, performance.now() - startedAtMs);
  }

  #receive(client: Client, channel: Channel): void {
    channel.on(anyPayload, (payload, meta) => this.#log.message(payload, meta, meta.origin === client.origin));
    channel.on("gap", () => this.#missed(targetText(channel.target)));
  }

  /** A reconnect tells one gap for each channel; they make one line. */
  #missed(channel: string): void {
    if (this.#gaps.push(channel) > 1) return;
    queueMicrotask(() => {
      this.#log.note(`Messages to ${this.#gaps.splice(0).join(", ")} may have been missed.`);
    });
  }

  #onStatus(event: StatusEvent): void {
    this.#status.show(event);
    if (event.type === "waiting") this.#log.note(`Connection lost: ${event.error?.message ?? "no reason is known"}.`);
    else if (event.type === "open" && event.resumed) this.#log.note("Connected again; the session goes on.");
    else if (event.type === "error") this.#log.note(event.error.message);
    else if (event.type === "channel-opened") this.#onChannelOpened(event.channel);
    else if (event.type === "channel-closed") this.#onChannelClosed(event.channel);
    else if (event.type === "closed") this.#ended();
  }

  /** The player is a member: joining as well brings the list of who is there. */
  #onChannelOpened({ target }: Channel): void {
    if (target !== "broadcast" && "group" in target) void this.#join(target.group);
  }

  #onChannelClosed({ target }: Channel): void {
    this.#log.note(`No longer subscribed to ${targetText(target)}.`);
    if (target !== "broadcast" && "group" in target) this.#groups.remove(target.group);
  }

  #onFrame(player: string, frame: TappedFrame): void {
    if (frame.kind === "ping" || frame.kind === "pong") this.#status.heartbeat();
    this.#options.onFrame(player, frame);
  }

  #ended(): void {
    if (this.#client !== undefined) this.#wantedGroups = this.#groups.names;
    this.#client = undefined;
    this.#connecting = undefined;
    this.#groups.clear();
    this.#showConnected();
  }

  #showConnected(): void {
    const isTrying = this.#connecting !== undefined;
    const isConnected = this.#client !== undefined;
    this.#name.readOnly = isTrying;
    this.#connect.textContent = isTrying ? "Disconnect" : "Connect";
    this.#connect.classList.toggle("primary", !isTrying);
    this.#drop.disabled = !isConnected;
    this.#groups.enabled = isConnected;
    this.#composer.enabled = isConnected;
  }
}
