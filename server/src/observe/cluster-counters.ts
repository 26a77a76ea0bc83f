/** What a node counts of its cluster. Plain numbers that grow and never shrink, as in {@link Counters}. */
export class ClusterCounters {
  /** Other nodes that were found, that left in order, and that are counted as dead. */
  nodesJoined = 0;
  nodesLeft = 0;
  nodesLost = 0;
  /** Routes written again, because they may have been lost; of them, those that were. */
  routesReasserted = 0;
  routesLost = 0;
  /** Routes of this node that were left over, and removed when a message came by them. */
  routesHealed = 0;
  /** Reads of a route that failed: answered by sending to every node, or, past the budget, to none. */
  routesToEverybody = 0;
  routesUnreachable = 0;
  /** Sessions of other nodes that came here: with a hand-over, without one, and from an owner that did not answer. */
  sessionsHandedOverIn = 0;
  sessionsReleasedIn = 0;
  sessionsLostIn = 0;
  /** Sessions of this node that went to another. */
  sessionsOut = 0;
}
