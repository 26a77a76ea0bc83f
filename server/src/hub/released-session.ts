import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ReleasedSessionSchema } from "@fanfare/proto/cluster/v1alpha";
import type { Session } from "./session.ts";

/** What a node tells the next owner of a session. */
export function releasedFrom(
  { results, subscriptions, unsubscribed, generation, publishBucket }: Session,
  nowMs: number,
): MessageInitShape<typeof ReleasedSessionSchema> {
  const { publishes, underWay, last, lastVolatile } = results.toMoved();
  return {
    subscriptions: [...subscriptions.values()].map(({ channel, byClient, byServer }) => ({
      channelKey: channel.key,
      byClient,
      byServer,
    })),
    publishes: publishes.map(({ seq, ...rest }) => ({ ...rest, seq: BigInt(seq) })),
    underWay: underWay.map(BigInt),
    lastSeq: BigInt(last),
    lastVolatileSeq: BigInt(lastVolatile),
    unsubscribed: [...unsubscribed],
    generation,
    publishTokens: publishBucket.level(nowMs),
  };
}
