/**
 * What a node's links to others count. Plain numbers, as in {@link Counters}: those of the first group grow and never shrink, those of the second say
 * what is the case now.
 */
export class LinkCounters {
  /** Batches published for the first time, with records or without, and their bytes. */
  batchesOut = 0;
  bytesOut = 0;
  /** Of them, those without a record: acknowledgements, credit, probes. */
  emptyBatchesOut = 0;
  /** Batches published once more, and their bytes. */
  batchesRepeated = 0;
  bytesRepeated = 0;
  /** Batches that were published once for many nodes, and their records; those sent again to one of them; turns that could not be shared. */
  sharedOut = 0;
  sharedRecordsOut = 0;
  sharedRepaired = 0;
  sharedRefused = 0;
  /** Batches from peers, and their bytes. */
  batchesIn = 0;
  bytesIn = 0;
  recordsIn = 0;
  /** Of the batches, those for many nodes; and such that came without being for this one. */
  sharedIn = 0;
  sharedPast = 0;
  /** Batches that had come before. */
  duplicatesIn = 0;
  /** Batches that came before their turn. */
  earlyIn = 0;
  /** Messages on lanes that are no batch, for another incarnation, of an unknown revision, of a peer that was removed or of one too many. */
  malformedIn = 0;
  misdirectedIn = 0;
  unknownRevisionIn = 0;
  refusedIn = 0;
  /** Calls of the receiver that threw. */
  handlerFaults = 0;
  /** Publishes that failed: rejected, without an answer in time, or received by nobody. */
  publishesRejected = 0;
  publishesTimedOut = 0;
  publishesUnheard = 0;
  /** Times that nothing was acknowledged in time. */
  retransmitTimeouts = 0;
  /** Times that a link went to another lane. */
  laneMoves = 0;
  suspensions = 0;
  /** Batches that told a peer of a loss. */
  lossesOut = 0;
  /** Records by what became of them. */
  recordsDelivered = 0;
  recordsFailed = 0;
  recordsUnknown = 0;

  peers = 0;
  suspendedLinks = 0;
  sickLanes = 0;
  /** Bytes that wait to be sent. */
  waitingBytes = 0;
  /** Bytes that were sent and are not acknowledged. */
  unacknowledgedBytes = 0;
  /** Bytes that have come before their turn. */
  earlyBytes = 0;
}
