import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Answer, type AnswerSchema, type Ask, type AskSchema, RecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { LinkPort } from "../links/link-port.ts";

/** What one node may ask another. */
export type Question = NonNullable<MessageInitShape<typeof AskSchema>["question"]>;

/** What comes out, unless it fails. */
export type AnswerResult = NonNullable<MessageInitShape<typeof AnswerSchema>["result"]>;

/** Answers questions of other nodes. @throws FanfareError */
export type Answerer = (from: bigint, ask: Ask) => AnswerResult | Promise<AnswerResult>;

/** How long an answer is waited for, in milliseconds, unless the question says otherwise. */
const defaultDeadlineMs = 5_000;
/** Questions that wait for an answer, and that are being answered, of all nodes; past it they are refused. */
const maxPending = 10_000;

interface Pending {
  readonly to: bigint;
  readonly settle: (answer: Answer["result"] | FanfareError) => void;
}

/** Questions to other nodes and their answers, over links. */
export class Asks {
  readonly #links: LinkPort;
  readonly #clock: Clock;
  readonly #answer: Answerer;
  readonly #pending = new Map<number, Pending>();
  #answering = 0;
  #nextId = 1;

  constructor(links: LinkPort, clock: Clock, answer: Answerer) {
    this.#links = links;
    this.#clock = clock;
    this.#answer = answer;
  }

  /**
   * @throws FanfareError what the other node threw; UNAVAILABLE if it has certainly not got the question; DEADLINE_EXCEEDED if it may have
   */
  ask(to: bigint, question: Question, { appId = "", deadlineMs = defaultDeadlineMs } = {}): Promise<Answer["result"]> {
    if (this.#pending.size >= maxPending) return Promise.reject(unavailable("too many questions to other nodes wait"));
    const id = this.#freeId();
    const bytes = recordBytes({ case: "ask", value: { id, appId, deadlineMs: Math.ceil(deadlineMs), question } });
    const { promise, resolve, reject } = Promise.withResolvers<Answer["result"]>();
    const timer = this.#clock.setTimer(deadlineMs, () => this.#settle(id, noAnswer()));
    const settle = (answer: Answer["result"] | FanfareError): void => {
      timer.cancel();
      if (answer instanceof FanfareError) reject(answer);
      else resolve(answer);
    };
    this.#pending.set(id, { to, settle });
    this.#links.send(to, { class: "control", bytes }, (outcome) => {
      if (outcome === "failed") this.#settle(id, unavailable("the other node cannot be reached"));
      if (outcome === "unknown") this.#settle(id, noAnswer());
    });
    return promise;
  }

  /** A node has gone: it answers nothing any more. */
  forget(incarnation: bigint): void {
    for (const [id, { to }] of this.#pending) if (to === incarnation) this.#settle(id, noAnswer());
  }

  /** An Answer came in. */
  onAnswer({ id, error, result }: Answer): void {
    this.#settle(
      id,
      error === undefined ? result : new FanfareError(error.code, error.message, { field: error.field }),
    );
  }

  /** An Ask came in. */
  onAsk(from: bigint, ask: Ask): void {
    if (this.#answering >= maxPending) return this.#reply(from, ask.id, unavailable("this node answers too much"));
    this.#answering++;
    this.#carryOut(from, ask)
      .then(
        (result) => this.#reply(from, ask.id, result),
        (reason: unknown) => this.#reply(from, ask.id, FanfareError.from(reason)),
      )
      .finally(() => this.#answering--);
  }

  async #carryOut(from: bigint, ask: Ask): Promise<AnswerResult> {
    return await this.#answer(from, ask);
  }

  #reply(to: bigint, id: number, result: AnswerResult | FanfareError): void {
    const value = result instanceof FanfareError ? { id, error: result.toProto() } : { id, result };
    this.#links.send(to, { class: "control", bytes: recordBytes({ case: "answer", value }) });
  }

  #settle(id: number, answer: Answer["result"] | FanfareError): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.settle(answer);
  }

  #freeId(): number {
    while (this.#pending.has(this.#nextId)) this.#advance();
    const id = this.#nextId;
    this.#advance();
    return id;
  }

  #advance(): void {
    this.#nextId = this.#nextId === 0xffff_ffff ? 1 : this.#nextId + 1;
  }
}

/** An encoded Record. */
export function recordBytes(kind: NonNullable<MessageInitShape<typeof RecordSchema>["kind"]>): Uint8Array {
  return toBinary(RecordSchema, create(RecordSchema, { kind }));
}

function unavailable(message: string): FanfareError {
  return new FanfareError(ErrorCode.UNAVAILABLE, message);
}

function noAnswer(): FanfareError {
  return new FanfareError(
    ErrorCode.DEADLINE_EXCEEDED,
    "the other node did not answer; it may have done what it was asked",
  );
}
