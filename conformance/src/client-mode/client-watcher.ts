import { equals, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  feature as featureOption,
  type Publish,
  PublishSchema,
  type ServerFrame,
  type Welcome,
} from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { CaseFailure } from "../run/failure.ts";

/** Requirements that every client case holds the client to, on every connection. */
export const watchedOfClients: readonly string[] = [
  ...["FF-TR-001", "FF-TR-008", "FF-TR-014", "FF-HS-001", "FF-HS-002", "FF-HS-003", "FF-HS-018", "FF-FR-001"],
  ...["FF-ID-001", "FF-ID-004", "FF-ID-006", "FF-FE-002", "FF-BD-001", "FF-SE-022", "FF-BO-008", "FF-HB-008"],
];

const validate = validatorFor(ClientFrameSchema);
const requests: ReadonlySet<string | undefined> = new Set([
  ...["subscribe", "unsubscribe", "publish", "rpc", "presence", "presenceUpdate", "history", "cursorCommit", "refresh"],
]);
const featureOf = new Map(
  ClientFrameSchema.fields
    .filter((field) => hasOption(field, featureOption))
    .map((field) => [field.localName, getOption(field, featureOption)]),
);

/** What a client owes over all its connections of one case. */
export class ClientHistory {
  readonly #broken: (failure: CaseFailure) => void;
  readonly #publishes = new Map<bigint, Publish>();
  #highestSeq = 0n;
  #attempt = 0;
  #origin = 0n;

  constructor(broken: (failure: CaseFailure) => void) {
    this.#broken = broken;
  }

  violate(spec: string, text: string): void {
    this.#broken(new CaseFailure(text, spec));
  }

  /** Attempts are counted by session: a hello that resumes none begins another one. */
  hello(attempt: number, resumes: boolean): void {
    if (resumes && attempt <= this.#attempt)
      this.violate("FF-HS-018", `attempt ${attempt} came after ${this.#attempt}`);
    this.#attempt = attempt;
  }

  /** A session that is new counts its publishes from the beginning. */
  welcomed({ origin }: Welcome): void {
    if (origin === this.#origin) return;
    this.#origin = origin;
    this.#publishes.clear();
    this.#highestSeq = 0n;
  }

  published(publish: Publish, id: number): void {
    const earlier = this.#publishes.get(publish.seq);
    if (earlier !== undefined) {
      if (!equals(PublishSchema, earlier, publish))
        this.violate("FF-ID-004", `the repeat of seq ${publish.seq} is changed`);
      if (publish.volatile || id === 0) this.violate("FF-ID-006", `seq ${publish.seq} was repeated, and must not be`);
      return;
    }
    if (publish.seq <= this.#highestSeq) this.violate("FF-ID-001", `seq ${publish.seq} came after ${this.#highestSeq}`);
    this.#highestSeq = publish.seq;
    this.#publishes.set(publish.seq, publish);
  }
}

/** Holds one connection of the client under test to every rule. */
export class ClientWatcher {
  readonly #history: ClientHistory;
  readonly #pending = new Set<number>();
  readonly #pings = new Map<number, bigint[]>();
  #helloSeen = false;
  #welcome: Welcome | undefined;

  constructor(history: ClientHistory) {
    this.#history = history;
  }

  /** The runner sent a frame. */
  sent({ id, kind }: ServerFrame): void {
    if (kind.case === "welcome") {
      this.#welcome = kind.value;
      this.#history.welcomed(kind.value);
    }
    if (kind.case === "reply") this.#pending.delete(id);
    if (kind.case === "ping") this.#pings.set(id, [...(this.#pings.get(id) ?? []), kind.value.sentAtUs]);
  }

  message(bytes: number): void {
    const most = this.#welcome?.limits?.maxFrameBytes;
    if (most !== undefined && bytes > most) this.#history.violate("FF-TR-014", `a message of ${bytes} bytes came`);
  }

  received(frame: ClientFrame): void {
    const { id, kind } = frame;
    this.#handshake(frame);
    const violation = validate(frame);
    if (violation !== undefined) this.#history.violate("FF-BD-001", `${violation.field} ${violation.message}`);
    const feature = featureOf.get(kind.case ?? "");
    // An rpc_result also answers what a client does not know: FF-FR-014.
    if (feature !== undefined && kind.case !== "rpcResult" && !this.#welcome?.features.includes(feature)) {
      this.#history.violate("FF-FE-002", `${kind.case} came without ${feature}`);
    }
    if (requests.has(kind.case) && id !== 0) {
      if (this.#pending.has(id)) this.#history.violate("FF-FR-001", `id ${id} waits for its reply already`);
      this.#pending.add(id);
    }
    if (kind.case === "publish") this.#history.published(kind.value, id);
    if (kind.case === "pong") this.#pong(id, kind.value.pingSentAtUs);
  }

  closed(code: number): void {
    if (code >= 4000 && ![4000, 4001, 4101].includes(code))
      this.#history.violate("FF-SE-022", `the client closed with ${code}`);
  }

  #handshake({ kind }: ClientFrame): void {
    if (kind.case === "hello") {
      if (this.#helloSeen) this.#history.violate("FF-HS-001", "a second hello came");
      this.#helloSeen = true;
      this.#history.hello(kind.value.attempt, kind.value.resume !== undefined);
    } else if (!this.#helloSeen) this.#history.violate("FF-HS-001", `${kind.case} came before hello`);
    else if (this.#welcome === undefined) this.#history.violate("FF-HS-002", `${kind.case} came before welcome`);
  }

  #pong(id: number, sentAtUs: bigint): void {
    const times = this.#pings.get(id) ?? [];
    const index = times.indexOf(sentAtUs);
    if (index === -1) this.#history.violate("FF-HB-008", `a pong under ${id} came that answers no ping`);
    else times.splice(index, 1);
  }
}
