import { create } from "@bufbuild/protobuf";
import { NodeState, type Publication } from "@fanfare/proto/control/v1";
import { ChannelSchema, CloseCode, ErrorCode, type PublishResult } from "@fanfare/proto/v1";
import type { VerifiedToken } from "../../server/src/auth/player-token.ts";
import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import { appOf, callerOf } from "../../server/src/control/caller-context.ts";
import { type ControlCalls, controlCalls } from "../../server/src/control/control-calls.ts";
import { newPublishRepeats, Publisher, type PublishRepeats } from "../../server/src/control/publisher.ts";
import { FanfareError } from "../../server/src/fanfare-error.ts";
import { Connections } from "../../server/src/gateway/connections.ts";
import { drain } from "../../server/src/gateway/drain.ts";
import { parseCapabilities } from "../../server/src/namespace/capabilities.ts";
import { FanfareNode } from "../../server/src/node.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { NodeBackend } from "./backbone.ts";
import type { SimulatedLinks } from "./node-links.ts";
import { appId } from "./plan.ts";
import type { SimulatedSocket } from "./simulated-socket.ts";

/** What a node in a simulation is made of. */
export interface SimulatedNodeOptions {
  readonly process: SimulatedProcess;
  readonly config: ResolvedConfig;
  readonly log: Log;
  /** Default: it is alone, with everything in its memory. */
  readonly backend?: NodeBackend | undefined;
}

/** How long a token takes to be verified at most, in milliseconds: that is done beside the event loop. */
const maxVerifyMs = 2;
/** How long after a failure a node tries again to join its cluster, in milliseconds: as `FanfareServer`. */
const rejoinMs = 500;

/** One run of the node and its connections: as in `FanfareServer`, without the sockets. */
interface NodeRun {
  readonly node: FanfareNode;
  readonly connections: Connections;
  readonly calls: ControlCalls;
  readonly publisher: Publisher;
}

/** A server that runs in a simulation, from its start to its end. A restart is another one. */
export class SimulatedNode {
  readonly process: SimulatedProcess;
  readonly #options: SimulatedNodeOptions;
  readonly #repeats: PublishRepeats;
  #run: NodeRun;
  #refusal: string | undefined;
  #drained: Promise<void> | undefined;
  #isClosed = false;
  #isRejoining = false;

  constructor(options: SimulatedNodeOptions) {
    this.process = options.process;
    this.#options = options;
    this.#repeats = newPublishRepeats(options.process.clock);
    this.#run = this.#newRun();
  }

  get name(): string {
    return this.process.name;
  }

  get node(): FanfareNode {
    return this.#run.node;
  }

  get connections(): Connections {
    return this.#run.connections;
  }

  /** What its control API does. */
  get calls(): ControlCalls {
    return this.#run.calls;
  }

  /** How far players may rewind in a namespace, as it knows; undefined: it knows of no such namespace. */
  rewindOf(namespace: string): number | undefined {
    const channel = { kind: { case: "group", value: `${namespace}:a` } } as const;
    return this.node.apps.get(appId)?.hub.namespaces.policyFor(create(ChannelSchema, channel))?.maxRewind;
  }

  /** Publishes for a backend, to one channel. */
  async publish(publication: Publication, context: Parameters<typeof appOf>[1]): Promise<PublishResult> {
    const { node, publisher } = this.#run;
    node.cluster?.requireMember();
    const { signal } = new AbortController();
    const results = await publisher.publish(appOf(node, context), callerOf(context), [publication], signal);
    return results[0]?.[0] as PublishResult;
  }

  /** Its links with others; undefined: it is alone. */
  get links(): SimulatedLinks | undefined {
    return this.#options.backend?.links;
  }

  /** It has ended, in whatever way. */
  get isOver(): boolean {
    return this.#isClosed || this.process.isDead;
  }

  get isDraining(): boolean {
    return this.#drained !== undefined;
  }

  /** What `/readyz` says. */
  get isReady(): boolean {
    if (this.isOver || this.isDraining || !this.process.isRunning) return false;
    return !this.#isRejoining && (this.node.cluster?.isHealthy ?? true);
  }

  /** Joins its cluster. @throws FanfareError UNAVAILABLE */
  open(): Promise<void> {
    return this.node.open();
  }

  /** A WebSocket has reached it. */
  accept(socket: SimulatedSocket, subprotocol: string, remoteAddress: string): void {
    socket.opened(subprotocol);
    this.connections.accept({
      webSocket: socket.webSocket,
      socket: socket.writable,
      subprotocol,
      remoteAddress,
      pageOrigin: undefined,
      listener: 0,
      refusal: this.isDraining ? "this node is draining" : this.#refusal,
    });
  }

  /** Sends everybody away and ends when the last has gone. Again: waits for the first. */
  drain(windowMs: number, deadlineMs: number): Promise<void> {
    this.#drained ??= this.#drain(windowMs, deadlineMs);
    return this.#drained;
  }

  async #drain(windowMs: number, deadlineMs: number): Promise<void> {
    this.node.state = NodeState.DRAINING;
    void this.node.cluster?.drain();
    const options = { windowMs, deadlineMs, url: "", rebalancing: false };
    await drain(this.connections.all, this.process.clock, options).done;
    await this.close();
  }

  /** Ends at once, as `FanfareServer.close` does. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const connection of this.connections.all) connection.destroy();
    await this.node[Symbol.asyncDispose]();
    await this.#options.backend?.[Symbol.asyncDispose]();
  }

  #newRun(): NodeRun {
    const { process, config, log, backend } = this.#options;
    const node = new FanfareNode({
      ...{ config, log, clock: process.clock, random: process.randomBytes },
      verifyToken: (token) => this.#verify(token),
      ...(backend?.stores && { stores: backend.stores }),
      ...(backend?.cluster && { cluster: backend.cluster }),
      ...(backend?.clusterRevision && { clusterRevision: backend.clusterRevision }),
    });
    void node.isolated.then(() => this.#reincarnate(node));
    // Who deploys drains a node, and nobody rebalances.
    const actions = { beginDrain: () => ({ told: 0 }), sendAway: () => ({ told: 0 }) };
    const publisher = new Publisher(node, this.#repeats);
    return { node, connections: new Connections(node), calls: controlCalls(node, actions), publisher };
  }

  /** The others count it as dead: its clients go, and it comes back as another incarnation. */
  async #reincarnate(isolated: FanfareNode): Promise<void> {
    const { clock, log } = isolated;
    if (this.node !== isolated || this.#isRejoining || this.isDraining || this.#isClosed) return;
    log.warn("the others count this node as gone, or would by now; clients are sent away");
    this.#refusal = "this node is cut off from its cluster";
    for (const connection of this.connections.all) connection.close(CloseCode.ISOLATED, this.#refusal);
    this.#isRejoining = true;
    for (;;) {
      this.#options.backend?.giveUpAll();
      this.node[Symbol.asyncDispose]().catch((reason: unknown) => log.warn("not closed in order", { reason }));
      this.#run = this.#newRun();
      const isJoined = await this.node.open().then(
        () => true,
        () => false,
      );
      const hasLapsed = this.node.cluster?.nodes.isMember === false;
      if ((isJoined && !hasLapsed) || this.#isClosed) break;
      await new Promise<void>((resolve) => clock.setTimer(rejoinMs, resolve));
    }
    this.#isRejoining = false;
    if (!this.isDraining && !this.#isClosed) this.#refusal = undefined;
    log.info("back in the cluster", { incarnation: this.node.incarnation.toString(16) });
  }

  async #verify(token: string): Promise<VerifiedToken> {
    const { clock, random } = this.process;
    await new Promise<void>((resolve) => clock.setTimer(random.between(0, maxVerifyMs), resolve));
    const [appId = "", playerId = "", expiresAt = "", groups = ""] = token.split("|");
    const expiresAtMs = Number(expiresAt);
    if (expiresAtMs <= clock.nowMs()) throw new FanfareError(ErrorCode.TOKEN_EXPIRED, "the token has expired");
    return {
      appId,
      playerId,
      expiresAtMs,
      issuedAtMs: 0,
      tokenId: "",
      groups: groups === "" ? [] : groups.split(","),
      capabilities: parseCapabilities(["publish:broadcast"]),
    };
  }
}

/** A token as simulated nodes take it. `expiresAtMs` is by the nodes' wall clock. */
export function simulatedToken(appId: string, playerId: string, expiresAtMs: number, groups: readonly string[] = []) {
  return [appId, playerId, expiresAtMs, groups.join(",")].join("|");
}
