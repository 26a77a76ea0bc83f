import { GapReason, GoawayReason, Outcome, type Payload, type TappedFrame } from "@fanfare/sdk-browser";
import { payloadText } from "./readable.ts";

/** The frames that can be seen here, all fields optional: what is inspected may be of either direction. */
type Frame = Partial<Extract<TappedFrame["frame"], { id: number }>> & {
  hello?: { attempt?: number; resume?: { sessionId?: string } };
  subscribe?: WithChannel;
  unsubscribe?: WithChannel;
  publish?: WithChannel & { payload?: Payload; volatile?: boolean };
  presence?: WithChannel;
  presenceUpdate?: WithChannel;
};

interface WithChannel {
  channel?: { player?: string; group?: string; broadcast?: boolean };
}

/** What a frame says, in a few words. */
export function frameSummary({ frame }: TappedFrame): string {
  const { hello, welcome, publish, message, reply, presenceEvent, subscription, pong, error, goaway } = frame as Frame;
  if (hello) return hello.resume ? `attempt ${hello.attempt}, resume` : `attempt ${hello.attempt}, new session`;
  if (welcome) return `${welcome.playerId}, ${welcome.resumed ? "session resumed" : "new session"}`;
  if (publish) return `to ${channelText(publish)}${publish.volatile ? ", volatile" : ""}: ${shortPayload(publish)}`;
  if (message) return `${channelText(message)}, from ${message.from || "backend"}: ${shortPayload(message)}`;
  if (reply) return replyText(reply);
  if (presenceEvent) return `${channelText(presenceEvent)}: ${presenceText(presenceEvent)}`;
  if (subscription) return `${channelText(subscription)}: ${subscriptionText(subscription)}`;
  if (pong) return `after ${Math.round(pong.sentAtUs - pong.receivedAtUs)} µs`;
  if (error) return error.message;
  if (goaway) return `${GoawayReason[goaway.reason] ?? goaway.reason}, in ${goaway.reconnectAfterMs} ms`;
  const other = (frame as Frame).subscribe ?? (frame as Frame).unsubscribe ?? (frame as Frame).presenceUpdate;
  return other === undefined ? "" : channelText(other);
}

type Known<Name extends keyof Frame> = NonNullable<Frame[Name]>;

function replyText({ error, publishResult, ...rest }: Known<"reply">): string {
  if (error) return error.message;
  if (publishResult) {
    const { outcome, report, repeated } = publishResult;
    const reached = report === undefined ? "" : `, ${report.reached} reached`;
    return `${Outcome[outcome] ?? outcome}${reached}${repeated ? ", repeated" : ""}`;
  }
  return Object.keys(rest)[0] ?? "";
}

function presenceText({ snapshot, diff, counts }: Known<"presenceEvent">): string {
  if (snapshot) return `${snapshot.members.length} present`;
  if (diff)
    return `+${diff.joined.length} −${diff.left.length}${diff.updated.length ? ` ~${diff.updated.length}` : ""}`;
  return counts ? `${counts.players} players` : "";
}

function subscriptionText({ opened, closed, gap }: Known<"subscription">): string {
  if (opened) return "opened";
  if (gap) return `gap, ${GapReason[gap.reason] ?? gap.reason}`;
  return closed ? "closed" : "";
}

function channelText({ channel }: WithChannel): string {
  if (channel?.group !== undefined) return channel.group;
  return channel?.player === undefined ? "everybody" : `@${channel.player}`;
}

function shortPayload({ payload }: { payload?: Payload }): string {
  return payload === undefined ? "" : payloadText(payload).slice(0, 120);
}
