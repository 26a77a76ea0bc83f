import { create } from "@bufbuild/protobuf";
import {
  BanRequestSchema,
  CallPlayerRequestSchema,
  ClearChannelRequestSchema,
  DisconnectRequestSchema,
  JoinGroupRequestSchema,
  LeaveGroupRequestSchema,
  PutNamespaceRequestSchema,
} from "@fanfare/proto/control/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { ErrorCode, type FanfareError } from "@fanfare/sdk-core";
import { contextOf } from "../../server/src/control/caller-context.ts";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import type { Ledger, Trace } from "./ledger.ts";
import type { NodePlace } from "./node-place.ts";
import { appId, type BackendStep, setNamespace } from "./plan.ts";
import type { SimulatedNode } from "./simulated-node.ts";
import { echoMethod, type SimulatedPlayer } from "./simulated-player.ts";

/** What the backend of a run shares with the rest of it. */
export interface BackendSurroundings {
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly trace: Trace;
  /** All runs of clients that there have been. */
  readonly players: readonly SimulatedPlayer[];
}

/** A call of the control API and what came of it. */
export interface BackendCall {
  readonly name: string;
  readonly step: BackendStep;
  readonly playerId: string;
  readonly beganMs: number;
  /** The clients of the player that had a session then, and how many they had had. */
  readonly sessions: ReadonlyMap<SimulatedPlayer, number>;
  /** Undefined: not answered. */
  endedMs: number | undefined;
  /** Undefined, once it is answered: it did what it was to do. */
  error: string | undefined;
  /** What a call of the player's client brought. */
  answer: string | undefined;
}

/** How much later than by its call a ban may end by the clock of another node, and because it is of whole seconds, in milliseconds. */
const banSlackMs = 2_500;

/** Whom nodes take the backend for. */
export const backendContext = contextOf({ appId, keyId: "backend", scopes: new Set<number>() });

/** The backend of the game: it calls the control API of nodes, and keeps what it was told. */
export class GameBackend {
  readonly calls: BackendCall[] = [];
  readonly #around: BackendSurroundings;
  /** What may stand after what the backend was told: by player and group whether that is a member, and the rules of the namespace. */
  readonly #standing = new Map<string, { values: Set<unknown>; readonly open: Set<{ isAlone: boolean }> }>();

  constructor(around: BackendSurroundings) {
    this.#around = around;
  }

  /** Since when a client may be told by this error that its session is over; undefined: it may not. */
  readonly mayEndSinceMs = (playerId: string, error: FanfareError | undefined): number | undefined =>
    this.calls.find(({ step, ...call }) => {
      if (call.playerId !== playerId) return false;
      if (step.do === "ban") return error?.code === ErrorCode.BANNED || error?.code === ErrorCode.SESSION_ENDED;
      return step.do === "kick" && error?.code === ErrorCode.SESSION_ENDED;
    })?.beganMs;

  /** Until when somebody may be banned. */
  get bannedUntilMs(): number {
    // What has no answer may be carried out yet.
    const { nowMs } = this.#around.simulation;
    const ends = this.calls.map(({ step, endedMs = nowMs }) =>
      step.do === "ban" ? endedMs + step.forMs + banSlackMs : 0,
    );
    return Math.max(0, ...ends);
  }

  /** Has a node do something; one that is gone is not called. */
  carryOut(step: BackendStep, { node }: NodePlace): void {
    if (node === undefined || node.isOver || node.isDraining) return;
    const { simulation, trace, players } = this.#around;
    const playerId = "target" in step ? `p${step.target}` : "";
    const call: BackendCall = {
      name: `c${this.calls.length}`,
      step,
      playerId,
      beganMs: simulation.nowMs,
      sessions: new Map(
        players.filter((player) => player.playerId === playerId && !player.isClosed).map((one) => [one, one.sessions]),
      ),
      endedMs: undefined,
      error: undefined,
      answer: undefined,
    };
    this.calls.push(call);
    const settle = this.#beginChange(call);
    node.process.run(() => {
      made(call, node, this.#around.ledger).then(
        (answer) => {
          call.endedMs = simulation.nowMs;
          call.answer = answer;
          settle?.(true);
          trace?.(`the backend hears that ${call.name}, ${step.do} ${playerId}, is done`);
        },
        (reason: unknown) => {
          call.endedMs = simulation.nowMs;
          call.error = String(reason);
          settle?.(false);
          trace?.(`the backend hears that ${call.name}, ${step.do} ${playerId}, is not done: ${call.error}`);
        },
      );
    });
  }

  /** Whether what it was told lets a player be a member of a group. */
  mayBe(isMember: boolean, playerId: string, group: string): boolean {
    const known = this.#standing.get(`${playerId} ${group}`);
    return known === undefined ? !isMember : known.values.has(isMember);
  }

  /** Whether what it was told lets the namespace that it sets have these rules; undefined: there is no such namespace. */
  mayHaveRules(maxRewind: number | undefined): boolean {
    const known = this.#standing.get(setNamespace);
    return known === undefined ? maxRewind === undefined : known.values.has(maxRewind);
  }

  /** A call that failed may have been carried out, and of two at the same time either may have been the last. */
  #beginChange({ step, playerId }: BackendCall): ((isDone: boolean) => void) | undefined {
    const change = changeOf(step, playerId);
    if (change === undefined) return undefined;
    const { key, value, before } = change;
    const known = this.#standing.get(key) ?? { values: new Set([before]), open: new Set() };
    this.#standing.set(key, known);
    known.values.add(value);
    const open = { isAlone: known.open.size === 0 };
    for (const other of known.open) other.isAlone = false;
    known.open.add(open);
    return (isDone) => {
      known.open.delete(open);
      if (isDone && open.isAlone) known.values = new Set([value]);
    };
  }
}

/** What a call changes to what, and what that was before all calls; undefined: nothing that stays. */
function changeOf(step: BackendStep, playerId: string): { key: string; value: unknown; before: unknown } | undefined {
  switch (step.do) {
    case "add-member":
    case "remove-member":
      return { key: `${playerId} ${step.group}`, value: step.do === "add-member", before: false };
    case "set-rules":
      return { key: setNamespace, value: step.maxRewind, before: undefined };
    default:
      return undefined;
  }
}

async function made(
  { step, name, playerId }: BackendCall,
  { calls }: SimulatedNode,
  ledger: Ledger,
): Promise<string | undefined> {
  switch (step.do) {
    case "add-member":
      await calls.joinGroup(create(JoinGroupRequestSchema, { playerId, group: step.group }), backendContext);
      return undefined;
    case "remove-member":
      await calls.leaveGroup(create(LeaveGroupRequestSchema, { playerId, group: step.group }), backendContext);
      return undefined;
    case "kick": {
      const target = { case: "playerId" as const, value: playerId };
      await calls.disconnect(create(DisconnectRequestSchema, { target, reason: "kicked" }), backendContext);
      return undefined;
    }
    case "ban": {
      const durationS = Math.ceil(step.forMs / 1000);
      await calls.ban(create(BanRequestSchema, { playerId, durationS, reason: "banned" }), backendContext);
      return undefined;
    }
    case "clear": {
      const entry = ledger.clearing(step.group);
      const channel = { kind: { case: "group" as const, value: step.group } };
      const { head } = await calls.clearChannel(create(ClearChannelRequestSchema, { channel }), backendContext);
      ledger.cleared(entry, Number(head?.epoch));
      return undefined;
    }
    case "set-rules": {
      const rules = { deliveryClass: DeliveryClass.DURABLE, maxRewind: step.maxRewind };
      const namespace = { name: setNamespace, rules };
      await calls.putNamespace(create(PutNamespaceRequestSchema, { namespace }), backendContext);
      return undefined;
    }
    case "call": {
      const rpc = { method: echoMethod, payload: { type: "words", data: { case: "text" as const, value: name } } };
      const { result } = await calls.callPlayer(create(CallPlayerRequestSchema, { playerId, rpc }), backendContext);
      if (result?.result?.case !== "payload") throw new Error(`${result?.result?.value?.message}`);
      return result.result.value.data?.case === "text" ? result.result.value.data.value : "something else";
    }
  }
}
