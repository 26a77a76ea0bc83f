import type { Channel, Hello, Subscribe } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { AppHub } from "../hub/app-hub.ts";
import { unnamedStart } from "../hub/durable/durable-starts.ts";
import type { StartPlan } from "../hub/durable/start-plan.ts";
import type { Credentials, Session } from "../hub/session.ts";
import { type ChannelKey, channelKey, channelOf } from "../wire/channel-key.ts";

/** Where each durable subscription of a `hello` begins, or why that cannot be told. Live channels are not in it. */
export type StartPlans = ReadonlyMap<ChannelKey, StartPlan | FanfareError>;

/** Who arrives, before a session is opened or taken up again for it. */
export interface Arriving {
  readonly credentials: Credentials;
  readonly features: ReadonlySet<string>;
  readonly hello: Hello;
  /** The channels of the session that is resumed; undefined: it is a new one. */
  readonly resumed: Iterable<ChannelKey> | undefined;
}

/**
 * Reads from the log where everything begins that the session will subscribe. What is stored while this goes on is no matter: serving begins
 * from the positions that are found here.
 */
export async function planStarts(hub: AppHub, arriving: Arriving): Promise<StartPlans> {
  const { credentials, features, hello, resumed } = arriving;
  const plans = new Map<ChannelKey, StartPlan | FanfareError>();
  if (!features.has("durable")) return plans;
  const starts = new Map<ChannelKey, Subscribe["start"]>();
  for (const key of hub.serverChannels(credentials)) starts.set(key, unnamedStart);
  for (const key of resumed ?? []) starts.set(key, unnamedStart);
  for (const { channel, start } of hello.subscriptions)
    if (channel !== undefined) starts.set(channelKey(channel), start);
  const { playerId } = credentials;
  const plan = async (channel: Channel, key: ChannelKey, start: Subscribe["start"]): Promise<void> => {
    const wish = { channel, playerId, features, start, isResume: resumed !== undefined };
    plans.set(key, await hub.starts.plan(wish).catch((reason: unknown) => FanfareError.from(reason)));
  };
  const durable = [...starts].map(([key, start]) => ({ key, start, channel: channelOf(key) }));
  const wanted = durable.filter(({ channel }) => hub.starts.inForce(channel, features));
  await Promise.all(wanted.map(({ channel, key, start }) => plan(channel, key, start)));
  return plans;
}

/** Begins to serve the durable subscriptions of a session that has its link: `welcome` is queued. */
export function startDurable(hub: AppHub, session: Session, plans: StartPlans): void {
  for (const subscription of session.subscriptions.values()) {
    const { channel, key } = subscription.channel;
    if (!hub.starts.inForce(channel, session.features)) continue;
    const plan = plans.get(key);
    // Without a plan `welcome` did not list it, and it begins later.
    if (plan !== undefined && !(plan instanceof FanfareError)) hub.durable.start(subscription, plan);
  }
}
