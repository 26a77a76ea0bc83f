import { everybody, type Lanes } from "../../broker/lanes.ts";
import type { Clock } from "../../clock.ts";
import { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import type { DecodedBatch } from "./batch.ts";
import { decodeBatch } from "./batch-decoding.ts";
import { encodeHead } from "./batch-encoding.ts";
import { CreditPool } from "./credit.ts";
import { FlushPacer } from "./flush-pacer.ts";
import { LaneHealth } from "./lane-health.ts";
import { type LinkOptions, type ResolvedLinkOptions, resolveLinkOptions } from "./link-options.ts";
import type { LinkPort, LinkReceiver, LinkRecord } from "./link-port.ts";
import { type LinkContext, PeerLink } from "./peer-link.ts";
import { type Settle, Settlements } from "./settlements.ts";
import { SharedSender } from "./shared/shared-sender.ts";

/** What {@link Links} need. */
export interface LinksParts {
  /** The incarnation of this node. */
  readonly self: bigint;
  readonly lanes: Lanes;
  readonly receiver: LinkReceiver;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0, inclusive, to 1, exclusive. */
  readonly random: () => number;
  /** Default: its own. */
  readonly counters?: LinkCounters;
  readonly options?: LinkOptions;
}

interface Peer {
  readonly link: PeerLink;
  /** Somebody has called `addPeer` for it. */
  isNamed: boolean;
}

/** After so much silence a peer that nobody has named may be forgotten, in milliseconds. */
const unnamedSilenceMs = 60_000;
/** What goes to all is for at least so many times those whom it is not for. */
const mostShare = 3;
/** Incarnations that are remembered as removed. */
const maxRemoved = 4_096;

/** The links of this incarnation to all others, over lanes. */
export class Links implements LinkPort, Disposable {
  readonly counters: LinkCounters;
  readonly #parts: LinksParts;
  readonly #options: ResolvedLinkOptions;
  readonly #context: LinkContext;
  readonly #peers = new Map<bigint, Peer>();
  readonly #removed = new Set<bigint>();
  readonly #shared: SharedSender;
  #nextHome: number;
  #isClosed = false;

  constructor(parts: LinksParts) {
    this.#parts = parts;
    const { self, lanes, receiver, clock, log, random } = parts;
    const options = resolveLinkOptions(parts.options);
    const counters = parts.counters ?? new LinkCounters();
    this.counters = counters;
    this.#options = options;
    this.#nextHome = Math.floor(random() * lanes.count);
    const probe = encodeHead(options.minRevision, self, self);
    const health = new LaneHealth({
      lanes,
      clock,
      random,
      log,
      counters,
      publishTimeoutMs: options.publishTimeoutMs,
      probe: (lane) => lanes.publish(lane, self, probe),
      onSick: (lane) => this.#laneIsSick(lane),
    });
    const context = {
      self,
      lanes,
      health,
      receiver,
      clock,
      random,
      log,
      counters,
      options,
      pacer: new FlushPacer(clock, options.maxLingerMs),
      settlements: new Settlements(clock, log),
      credit: new CreditPool({
        totalBytes: options.maxInboundBytes,
        accountBytes: options.maxPeerInboundBytes,
        maxAccounts: options.maxPeers,
      }),
    };
    this.#shared = new SharedSender({ context, listeners: () => this.#listeners() });
    this.#context = { ...context, shared: this.#shared };
  }

  /** Begins to receive. Settles as `Lanes.listen` does. */
  listen(): Promise<void> {
    return this.#parts.lanes.listen(this.#parts.self, (bytes, lane) => this.#receive(bytes, lane));
  }

  addPeer(incarnation: bigint, maxRevision = 0): void {
    const peer = this.#peers.get(incarnation) ?? this.#add(incarnation);
    if (peer === undefined) return;
    peer.isNamed = true;
    peer.link.understands(maxRevision);
  }

  removePeer(incarnation: bigint, hasLeft = false): void {
    if (incarnation === this.#parts.self) return;
    this.#removed.add(incarnation);
    for (const oldest of this.#removed) {
      if (this.#removed.size <= maxRemoved) break;
      this.#removed.delete(oldest);
    }
    this.#close(incarnation, hasLeft);
  }

  send(incarnation: bigint, record: LinkRecord, settle?: Settle): void {
    const peer = this.#peers.get(incarnation);
    if (peer !== undefined) return peer.link.send(record, settle);
    this.counters.recordsFailed++;
    if (settle !== undefined) this.#context.settlements.add([settle], "failed");
  }

  sendToMany(incarnations: readonly bigint[], record: LinkRecord, settles: readonly Settle[] = []): void {
    const sharing = this.#sharing(incarnations);
    for (const [index, incarnation] of incarnations.entries()) {
      if (!sharing.has(index)) this.send(incarnation, record, settles[index]);
    }
    const chosen = [...sharing.keys()].map((index) => settles[index]);
    if (sharing.size > 0) this.#shared.send([...sharing.values()], record, settles.length > 0 ? chosen : []);
  }

  heardAtMs(incarnation: bigint): number {
    return this.#peers.get(incarnation)?.link.heardAtMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Ends all links; everything is settled, nothing is received any more, and no timer is left. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#shared[Symbol.dispose]();
    for (const incarnation of [...this.#peers.keys()]) this.#close(incarnation);
    this.#context.health.close();
  }

  #receive(bytes: Uint8Array, lane: number): void {
    if (this.#isClosed) return;
    const { counters } = this;
    const { minRevision, maxRevision } = this.#options;
    const batch = decodeBatch(bytes, this.#parts.self);
    if (batch === undefined) counters.malformedIn++;
    else if (batch.revision < minRevision || batch.revision > maxRevision) counters.unknownRevisionIn++;
    else if (batch.to === everybody) this.#sharedPast(batch);
    else if (batch.to !== this.#parts.self) counters.misdirectedIn++;
    else if (batch.from !== batch.to) {
      counters.batchesIn++;
      if (batch.isShared) counters.sharedIn++;
      counters.bytesIn += bytes.length;
      const peer = this.#peers.get(batch.from) ?? this.#add(batch.from);
      if (peer === undefined) counters.refusedIn++;
      else peer.link.receive(batch, lane, this.#parts.clock.monotonicMs());
    }
  }

  /** Something went to all, and this node has no part in it: it is its own, or the sender does not count on it. */
  #sharedPast({ from, number }: DecodedBatch): void {
    if (from === this.#parts.self) this.#shared.heard(number);
    else this.counters.sharedPast++;
  }

  /** Peers that hear what goes to all. One that nobody has named may be long gone. */
  *#listeners(): Iterable<PeerLink> {
    for (const { link, isNamed } of this.#peers.values()) if (isNamed && link.isListener) yield link;
  }

  /** Who of these, by their places, gets a record together with the others: most of those who would hear it, and enough of them; else nobody. */
  #sharing(incarnations: readonly bigint[]): ReadonlyMap<number, PeerLink> {
    const sharing = new Map<number, PeerLink>();
    if (incarnations.length < this.#options.sharedPeers) return sharing;
    const listeners = new Set(this.#listeners());
    for (const [index, incarnation] of incarnations.entries()) {
      const link = this.#peers.get(incarnation)?.link;
      if (link !== undefined && listeners.delete(link)) sharing.set(index, link);
    }
    const isWorthIt = sharing.size >= this.#options.sharedPeers && listeners.size * mostShare <= sharing.size;
    return isWorthIt ? sharing : new Map();
  }

  #add(incarnation: bigint): Peer | undefined {
    if (this.#isClosed || incarnation === this.#parts.self || this.#removed.has(incarnation)) return undefined;
    if (this.#peers.size >= this.#options.maxPeers && !this.#makeRoom()) {
      this.#parts.log.error("a node more than links are made for", { peer: incarnation.toString(16) });
      return undefined;
    }
    const home = this.#nextHome++ % this.#parts.lanes.count;
    const peer = { link: new PeerLink(this.#context, incarnation, home), isNamed: false };
    this.#peers.set(incarnation, peer);
    this.counters.peers++;
    return peer;
  }

  /** Forgets the peer that nobody has named and that was heard longest ago, if it is likely to be dead. */
  #makeRoom(): boolean {
    const heardBeforeMs = this.#parts.clock.monotonicMs() - unnamedSilenceMs;
    let longest: { incarnation: bigint; heardAtMs: number } | undefined;
    for (const [incarnation, { link, isNamed }] of this.#peers) {
      if (isNamed || !link.isIdle || link.heardAtMs > heardBeforeMs) continue;
      if (longest === undefined || link.heardAtMs < longest.heardAtMs) {
        longest = { incarnation, heardAtMs: link.heardAtMs };
      }
    }
    if (longest === undefined) return false;
    this.removePeer(longest.incarnation);
    return true;
  }

  #close(incarnation: bigint, hasLeft = false): void {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined) return;
    this.#shared.giveUp();
    this.#peers.delete(incarnation);
    this.counters.peers--;
    peer.link.close(hasLeft);
  }

  #laneIsSick(lane: number): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#shared.laneIsSick(lane, nowMs);
    for (const { link } of [...this.#peers.values()]) link.laneIsSick(lane, nowMs);
  }
}
