import type { Channel } from "../channel/channel.ts";
import type { LogPosition } from "../channel/log-position.ts";
import type { JoinOptions } from "../subscriptions.ts";
import type { Init } from "../wire/codec.ts";
import { DeliveryClass, type Message, type ServerFrame, type Subscribed } from "../wire/schema.ts";
import { Scripted } from "./scripted.ts";
import { settled } from "./virtual-clock.ts";

/** The position at an offset of the log that these frames are of. */
export const at = (offset: number, epoch = 3): LogPosition => ({ epoch, offset, tag: 100 + offset });

/** An entry of that log: its text is its offset, and so is its number. */
export const entry = (offset: number, more: Init<Message> = {}): Init<ServerFrame> => ({
  message: {
    channel: { group: "a" },
    origin: 5n,
    seq: offset,
    payload: { type: "", text: `${offset}` },
    log: { offset, tag: 100 + offset, previousTag: 99 + offset },
    ...more,
  },
});

/** Offsets of that log which are not sent. */
export const skip = (fromOffset: number, toOffset: number): Init<ServerFrame> => ({
  skip: { channel: { group: "a" }, fromOffset, toOffset, tag: 100 + toOffset, previousTag: 99 + fromOffset },
});

/** Something that happened to the subscription. */
export const event = (more: Init<ServerFrame["subscription"] & object>): Init<ServerFrame> => ({
  subscription: { channel: { group: "a" }, ...more },
});

/** A subscription that begins at an offset. */
export const from = (offset: number, more: Init<Subscribed> = {}): Init<Subscribed> => ({
  deliveryClass: DeliveryClass.DURABLE,
  position: at(offset),
  head: at(offset),
  ...more,
});

/** Ends the newest connection, and accepts the next one when the client opens it. */
export async function comeBack(t: Scripted): Promise<void> {
  const opened = t.network.sockets.length;
  await t.socket.end();
  while (t.network.sockets.length === opened) await t.clock.advance(100);
  await t.socket.accept();
}

/** A client that joins the durable group `a`. */
export class DurableChannel {
  readonly t: Scripted;
  #group: Channel | undefined;

  private constructor(t: Scripted) {
    this.t = t;
  }

  /** Joins; the answer and `frames` come in one WebSocket message. */
  static async join(
    subscribed: Init<Subscribed> = from(10),
    options: JoinOptions = {},
    ...frames: Init<ServerFrame>[]
  ): Promise<DurableChannel> {
    const durable = new DurableChannel(await Scripted.connected());
    const joining = durable.t.client.join("a", options);
    await settled();
    await durable.answer(subscribed, ...frames);
    durable.#group = await joining;
    return durable;
  }

  get group(): Channel {
    if (this.#group === undefined) throw new Error("the group is not joined");
    return this.#group;
  }

  /** Answers the newest `subscribe`. */
  async answer(subscribed: Init<Subscribed>, ...frames: Init<ServerFrame>[]): Promise<void> {
    const { id } = this.t.socket.last("subscribe");
    await this.t.socket.say({ id, reply: { subscribed } }, ...frames);
  }

  say(...frames: Init<ServerFrame>[]): Promise<void> {
    return this.t.socket.say(...frames);
  }

  /** What the newest `hello` names of the group. */
  get named() {
    return this.t.socket.last("hello").frame.subscriptions.find(({ channel }) => channel?.group === "a");
  }

  /** Where the newest `subscribe` begins. */
  get asked() {
    return this.t.socket.last("subscribe").frame.after;
  }

  /** Ends the connection, and begins a handshake on the next one. */
  async reconnect(): Promise<void> {
    await comeBack(this.t);
  }

  /** Answers the handshake. */
  async welcome(subscribed: Init<Subscribed>, { resumed = true } = {}, ...frames: Init<ServerFrame>[]): Promise<void> {
    const subscriptions = [{ channel: { group: "a" }, subscribed }];
    await this.t.socket.say(this.t.welcomeFrame({ resumed, subscriptions }), ...frames);
  }
}
