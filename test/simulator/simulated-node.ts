import { NodeState } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { VerifiedToken } from "../../server/src/auth/player-token.ts";
import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import { FanfareError } from "../../server/src/fanfare-error.ts";
import { Connections } from "../../server/src/gateway/connections.ts";
import { drain } from "../../server/src/gateway/drain.ts";
import type { DurableStores } from "../../server/src/log/durable-stores.ts";
import { parseCapabilities } from "../../server/src/namespace/capabilities.ts";
import { FanfareNode } from "../../server/src/node.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { SimulatedSocket } from "./simulated-socket.ts";

/** What a node in a simulation is made of. */
export interface SimulatedNodeOptions {
  readonly process: SimulatedProcess;
  readonly config: ResolvedConfig;
  readonly log: Log;
  /** Default: in memory. Closed with the node. */
  readonly stores?: (DurableStores & AsyncDisposable) | undefined;
}

/** How long a token takes to be verified at most, in milliseconds: that is done beside the event loop. */
const maxVerifyMs = 2;

/** A node that runs in a simulation, from its start to its end. A restart is another one. */
export class SimulatedNode {
  readonly process: SimulatedProcess;
  readonly node: FanfareNode;
  readonly connections: Connections;
  readonly #stores: AsyncDisposable | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor({ process, config, log, stores }: SimulatedNodeOptions) {
    this.process = process;
    this.#stores = stores;
    this.node = new FanfareNode({
      config,
      clock: process.clock,
      log,
      random: process.randomBytes,
      verifyToken: (token) => this.#verify(token),
      ...(stores && { stores }),
    });
    this.connections = new Connections(this.node);
  }

  get name(): string {
    return this.process.name;
  }

  /** It has ended, in whatever way. */
  get isOver(): boolean {
    return this.#isClosed || this.process.isDead;
  }

  get isDraining(): boolean {
    return this.#isDraining;
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
      refusal: this.#isDraining ? "this node is draining" : undefined,
    });
  }

  /** Sends everybody away and ends when the last has gone. */
  async drain(windowMs: number, deadlineMs: number): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.node.state = NodeState.DRAINING;
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
    await this.#stores?.[Symbol.asyncDispose]();
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
