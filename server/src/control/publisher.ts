import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Publication } from "@fanfare/proto/control/v1";
import {
  type Channel,
  DeliveryClass,
  ErrorCode,
  Outcome,
  type PublishResult,
  PublishResultSchema,
} from "@fanfare/proto/v1";
import type { Caller } from "../auth/api-keys.ts";
import type { Clock } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { publishResultOf } from "../router/publish-result.ts";
import { channelKey } from "../wire/channel-key.ts";
import { payloadBytes } from "../wire/payload-bytes.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";
import { IdempotencyTable } from "./idempotency-table.ts";

/** How long a call may hold the event loop, in milliseconds. */
const sliceMs = 5;
/** After how many channels the clock is read. */
const clockStride = 64;
/** Messages of one call that are on their way at the same time. */
const maxUnderWay = 1_000;

const keepMs = 10 * 60_000;
const maxKeys = 100_000;

/** What became of publishes, by their keys. A node keeps it when it comes back to its cluster as another incarnation. */
export type PublishRepeats = IdempotencyTable<PublishResult>;

/** Keeps the newest 100,000 for 10 minutes. */
export function newPublishRepeats(clock: Pick<Clock, "monotonicMs">): PublishRepeats {
  return new IdempotencyTable(keepMs, maxKeys, () => clock.monotonicMs());
}

/** Publishes for backends: gives messages their identity, sends each to its channel, and recognises repeats by idempotency key. */
export class Publisher {
  readonly #node: ControlNode;
  readonly #repeats: PublishRepeats;

  constructor(node: ControlNode, repeats: PublishRepeats) {
    this.#node = node;
    this.#repeats = repeats;
  }

  /**
   * Publishes all of them in their order; the results are in that order too, one for each channel. A call with many channels gives way
   * to others every 5 ms.
   * @throws the signal's reason when it aborts; what was sent until then stays sent
   */
  async publish(
    app: ControlApp,
    caller: Caller,
    publications: readonly Publication[],
    signal: AbortSignal,
  ): Promise<PublishResult[][]> {
    const { clock } = this.#node;
    const results: (PublishResult | Promise<PublishResult>)[][] = [];
    const underWay = new Set<Promise<PublishResult>>();
    let count = 0;
    let untilMs = clock.monotonicMs() + sliceMs;
    for (const publication of publications) {
      const ofPublication: (PublishResult | Promise<PublishResult>)[] = [];
      results.push(ofPublication);
      for (const channel of publication.channels) {
        const result = this.#publishOnce(app, caller, publication, channel);
        ofPublication.push(result);
        if (result instanceof Promise) {
          underWay.add(result);
          void result.then(() => underWay.delete(result));
          if (underWay.size >= maxUnderWay) await Promise.race(underWay);
        }
        if (++count % clockStride === 0 && clock.monotonicMs() >= untilMs) {
          await new Promise<void>((resolve) => clock.defer(resolve));
          signal.throwIfAborted();
          untilMs = clock.monotonicMs() + sliceMs;
        }
      }
    }
    return Promise.all(results.map((ofPublication) => Promise.all(ofPublication)));
  }

  /** Publishes, unless it is a repeat. */
  #publishOnce(
    app: ControlApp,
    caller: Caller,
    publication: Publication,
    channel: Channel,
  ): PublishResult | Promise<PublishResult> {
    const { idempotencyKey } = publication;
    if (idempotencyKey === "") return this.#send(app, caller, publication, channel);
    const key = [caller.appId, caller.keyId, idempotencyKey, channelKey(channel)].join("\n");
    const first = this.#repeats.get(key);
    if (first !== undefined) {
      this.#node.counters.messagesRepeated++;
      return first instanceof Promise ? first.then(asRepeated) : asRepeated(first);
    }
    const result = this.#send(app, caller, publication, channel);
    this.#remember(key, result, isDurable(app, channel));
    return result;
  }

  /**
   * A publish that failed was not sent, so its repeat is no repeat. Where it is unknown whether it was stored the repeat asks the log, which knows the key;
   * where it is unknown who has it, it stays so: sent again, it would come twice to some.
   */
  #remember(key: string, result: PublishResult | Promise<PublishResult>, durable: boolean): void {
    const stands = ({ outcome }: PublishResult) =>
      outcome !== Outcome.FAILED && !(durable && outcome === Outcome.UNKNOWN);
    if (!(result instanceof Promise)) {
      if (stands(result)) this.#repeats.set(key, result);
      return;
    }
    this.#repeats.set(key, result);
    void result.then((settled) => {
      if (!stands(settled)) this.#repeats.delete(key);
    });
  }

  /** As a rule the result is there at once; a promise while a large fan-out is under way. Never rejects. */
  #send(
    app: ControlApp,
    caller: Caller,
    publication: Publication,
    channel: Channel,
  ): PublishResult | Promise<PublishResult> {
    const { counters, producer } = this.#node;
    try {
      admit(app, publication, channel);
    } catch (reason) {
      return this.#counted({ outcome: Outcome.FAILED, error: FanfareError.from(reason).toProto() });
    }
    const { payload, volatile, conflationKey, ttlMs, wantReport } = publication;
    if (volatile) counters.messagesInVolatile++;
    else if (isDurable(app, channel)) counters.messagesInDurable++;
    else counters.messagesInLive++;
    const identity = { origin: producer.origin, seq: producer.nextSeq() };
    const { keyId } = caller;
    const idempotencyKey = publication.idempotencyKey === "" ? "" : `${keyId}\n${publication.idempotencyKey}`;
    const message = {
      channel,
      ...identity,
      payload,
      from: "",
      volatile,
      conflationKey,
      ttlMs,
      idempotencyKey,
      wantReport,
    };
    let settled: PublishResult | undefined;
    let settle: (result: PublishResult) => void = (result) => {
      settled = result;
    };
    app.router.publish(message, undefined, (result) => settle(this.#counted(publishResultOf(result, wantReport))));
    return (
      settled ??
      new Promise((resolve) => {
        settle = resolve;
      })
    );
  }

  #counted(result: MessageInitShape<typeof PublishResultSchema> & { outcome: Outcome }): PublishResult {
    this.#node.counters.publishesByOutcome[result.outcome]! += 1;
    return create(PublishResultSchema, result);
  }
}

/** @throws FanfareError why this publication cannot go to this channel */
function admit(app: ControlApp, publication: Publication, channel: Channel): void {
  const policy = app.hub.namespaces.policyFor(channel);
  if (policy === undefined) throw unknownNamespace(channel);
  if (publication.conflationKey !== "" && !publication.volatile) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "only volatile messages are conflated", {
      field: "conflation_key",
    });
  }
  if (publication.volatile && isDurable(app, channel)) {
    const message = "a volatile message is never stored, and this channel is durable";
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field: "volatile" });
  }
  const length = payloadBytes(publication.payload);
  if (length > policy.maxPayloadBytes) {
    const message = `the payload has ${length} bytes; at most ${policy.maxPayloadBytes} are allowed`;
    throw new FanfareError(ErrorCode.TOO_LARGE, message, { field: "payload" });
  }
}

function isDurable({ hub }: ControlApp, channel: Channel): boolean {
  return hub.namespaces.policyFor(channel)?.deliveryClass === DeliveryClass.DURABLE;
}

function asRepeated(first: PublishResult): PublishResult {
  return create(PublishResultSchema, { ...first, repeated: true });
}
