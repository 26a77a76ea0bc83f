import type { LinkCounters } from "./link-counters.ts";
import { gauge, type MetricRow, total, totalBy } from "./metric-row.ts";

/** Of a node's links to others. */
export const linkMetrics: readonly MetricRow<LinkCounters>[] = [
  gauge("fanfare_link_peers", "Links to other nodes.", "peers"),
  gauge("fanfare_link_suspended", "Links of which no lane works.", "suspendedLinks"),
  gauge("fanfare_link_sick_lanes", "Lanes that links avoid.", "sickLanes"),
  gauge("fanfare_link_waiting_bytes", "Bytes that wait to be sent to other nodes.", "waitingBytes"),
  gauge("fanfare_link_unacknowledged_bytes", "Bytes sent and not acknowledged.", "unacknowledgedBytes"),
  gauge("fanfare_link_early_bytes", "Bytes that came before their turn.", "earlyBytes"),
  total("fanfare_link_batches_sent_total", "Batches published for the first time.", "batchesOut"),
  total("fanfare_link_empty_batches_sent_total", "Of them, those without a record.", "emptyBatchesOut"),
  total("fanfare_link_sent_bytes_total", "Bytes of batches published for the first time.", "bytesOut"),
  total("fanfare_link_shared_batches_sent_total", "Of them, those published once for many nodes.", "sharedOut"),
  total("fanfare_link_shared_records_sent_total", "Records published once for many nodes.", "sharedRecordsOut"),
  total(
    "fanfare_link_shared_repairs_total",
    "Times that what was published for many nodes was sent to one again.",
    "sharedRepaired",
  ),
  total(
    "fanfare_link_shared_refused_total",
    "Times that what could be published once was not, because a node could not take it.",
    "sharedRefused",
  ),
  total("fanfare_link_batches_repeated_total", "Batches published once more.", "batchesRepeated"),
  total("fanfare_link_repeated_bytes_total", "Bytes of batches published once more.", "bytesRepeated"),
  total("fanfare_link_batches_received_total", "Batches from other nodes.", "batchesIn"),
  total("fanfare_link_received_bytes_total", "Bytes of batches from other nodes.", "bytesIn"),
  total("fanfare_link_shared_batches_received_total", "Of them, those for many nodes.", "sharedIn"),
  total("fanfare_link_shared_batches_past_total", "Batches for many nodes that were not for this one.", "sharedPast"),
  total("fanfare_link_records_received_total", "Records from other nodes.", "recordsIn"),
  totalBy("fanfare_link_batches_out_of_turn_total", "Batches that had come before, or came too early.", "kind", [
    ["duplicate", "duplicatesIn"],
    ["early", "earlyIn"],
  ]),
  totalBy("fanfare_link_batches_ignored_total", "What came on lanes and was not taken, by reason.", "reason", [
    ["malformed", "malformedIn"],
    ["misdirected", "misdirectedIn"],
    ["unknown_revision", "unknownRevisionIn"],
    ["refused", "refusedIn"],
  ]),
  total("fanfare_link_handler_faults_total", "Records that this node failed to handle.", "handlerFaults"),
  totalBy("fanfare_link_publishes_failed_total", "Publishes to lanes that failed, by reason.", "reason", [
    ["rejected", "publishesRejected"],
    ["timeout", "publishesTimedOut"],
    ["unheard", "publishesUnheard"],
  ]),
  total("fanfare_link_retransmit_timeouts_total", "Times that nothing was acknowledged in time.", "retransmitTimeouts"),
  total("fanfare_link_lane_moves_total", "Times that a link went to another lane.", "laneMoves"),
  total("fanfare_link_suspensions_total", "Times that no lane of a link worked.", "suspensions"),
  total("fanfare_link_losses_total", "Losses that other nodes were told of.", "lossesOut"),
  totalBy("fanfare_link_records_total", "Records to other nodes, by what became of them.", "outcome", [
    ["delivered", "recordsDelivered"],
    ["failed", "recordsFailed"],
    ["unknown", "recordsUnknown"],
  ]),
];
