import { CloseCode, ErrorCode, Outcome } from "@fanfare/proto/v1";
import type { Counters } from "./counters.ts";
import { gauge, type MetricRow, total, totalBy } from "./metric-row.ts";

/** What a node counts, alone or in a cluster. */
export const nodeMetrics: readonly MetricRow<Counters>[] = [
  gauge("fanfare_connections", "Open WebSockets.", "connections"),
  gauge("fanfare_unauthenticated_connections", "Open WebSockets that have not been welcomed.", "unauthenticated"),
  gauge("fanfare_sessions", "Sessions, connected or within their resume window.", "sessions"),
  gauge("fanfare_detached_sessions", "Sessions without a connection.", "sessionsDetached"),
  gauge("fanfare_subscriptions", "Subscriptions of sessions.", "subscriptions"),
  gauge("fanfare_send_queue_bytes", "Bytes in all send queues.", "sendQueueBytes"),
  total("fanfare_frame_messages_received_total", "WebSocket messages from clients.", "framesInMessages"),
  total("fanfare_frames_received_total", "Frames from clients.", "framesIn"),
  total("fanfare_received_bytes_total", "Bytes of WebSocket messages from clients.", "bytesIn"),
  total("fanfare_sent_bytes_total", "Bytes written to clients.", "bytesOut"),
  total("fanfare_writes_total", "Writes to clients' sockets.", "writes"),
  total("fanfare_frames_ignored_total", "Frames of an unknown kind and without an id.", "framesIgnored"),
  totalBy("fanfare_messages_received_total", "Publishes accepted, by class.", "class", [
    ["volatile", "messagesInVolatile"],
    ["live", "messagesInLive"],
    ["durable", "messagesInDurable"],
  ]),
  total("fanfare_messages_repeated_total", "Publishes recognised as repeats.", "messagesRepeated"),
  total("fanfare_messages_delivered_total", "Messages put into send queues.", "messagesDelivered"),
  totalBy("fanfare_messages_dropped_total", "Messages that were not sent on, by reason.", "reason", [
    ["slow", "messagesDropped"],
    ["conflated", "messagesConflated"],
    ["expired", "messagesExpired"],
  ]),
  {
    type: "counter",
    name: "fanfare_publishes_total",
    help: "Results of publishes, by outcome.",
    label: "outcome",
    read: (counters) => labelled(counters.publishesByOutcome, Outcome),
  },
  {
    type: "counter",
    name: "fanfare_errors_total",
    help: "Errors told to clients, by code.",
    label: "code",
    read: (counters) => labelled(counters.errorsByCode, ErrorCode),
  },
  total(
    "fanfare_sockets_dropped_total",
    "TCP connections closed as they came, because there were too many.",
    "socketsDropped",
  ),
  total("fanfare_upgrades_total", "WebSocket upgrades accepted.", "upgrades"),
  totalBy("fanfare_handshakes_total", "Handshakes, by outcome.", "outcome", [
    ["new", "handshakesNew"],
    ["resumed", "handshakesResumed"],
    ["handed_over", "handshakesHandedOver"],
    ["refused", "handshakesRefused"],
  ]),
  {
    type: "counter",
    name: "fanfare_closes_total",
    help: "Connections that ended, by close code.",
    label: "code",
    *read(counters) {
      for (const [code, count] of counters.closesByCode)
        yield [code === 0 ? "other" : closeLabel(code), count] as const;
    },
  },
];

function closeLabel(code: number): string {
  const name = CloseCode[code];
  return name === undefined ? String(code) : `${code}_${name.toLowerCase()}`;
}

/** Counts by enum value; the values that the enum does not have are left out. */
function* labelled(counts: readonly number[], names: Record<number, string>): Iterable<readonly [string, number]> {
  for (const [value, count] of counts.entries()) {
    const name = names[value];
    if (name !== undefined && value !== 0) yield [name.toLowerCase(), count];
  }
}
