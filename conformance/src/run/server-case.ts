import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type Case, Need, type Open, Profile, type Span } from "@fanfare/proto/conformance/v1alpha";
import { fillIn, type Lookup, valueAt } from "../cases/placeholders.ts";
import type { ControlAnswer } from "../target/control-client.ts";
import type { ServerEnvironment, ServerHandle } from "../target/environment.ts";
import { ActorState, TokenTable } from "./actor.ts";
import { ClientConnection } from "./client-connection.ts";
import { type CaseFailure, HarnessError } from "./failure.ts";
import { type Form, subprotocolOf } from "./frame-form.ts";
import { spanMs } from "./span-ms.ts";
import type { Trace } from "./trace.ts";

/** What a case begins with. */
export interface ServerCaseOptions {
  readonly definition: Case;
  readonly environment: ServerEnvironment;
  readonly server: ServerHandle;
  readonly form: Form;
  /** Makes names unique: this run of the case alone has it. */
  readonly run: string;
  readonly trace: Trace;
}

/** What a step took, under its label. */
interface Labelled {
  readonly json: JsonValue;
  readonly order: number;
}

/** A case for servers that runs: its actors, what they know, and what its steps have kept. */
export class ServerCase {
  readonly definition: Case;
  readonly environment: ServerEnvironment;
  readonly server: ServerHandle;
  readonly form: Form;
  readonly trace: Trace;
  readonly actors: ReadonlyMap<string, ActorState>;
  readonly pendingCalls = new Map<string, Promise<ControlAnswer>>();
  /** Aborted when the case ends. */
  readonly ending = new AbortController();
  /** Rejects when a rule that holds everywhere is broken. */
  readonly broken: Promise<never>;
  readonly #break: (failure: CaseFailure) => void;
  readonly #run: string;
  readonly #tokens: TokenTable;
  readonly #labels = new Map<string, Labelled>();
  readonly #connections: ClientConnection[] = [];
  #order = 0;
  #dials = 0;

  constructor(options: ServerCaseOptions) {
    const { definition, environment, run } = options;
    this.definition = definition;
    this.environment = environment;
    this.server = options.server;
    this.form = options.form;
    this.trace = options.trace;
    this.#run = run;
    const names = Object.entries(definition.actors);
    this.actors = new Map(names.map(([name, actor]) => [name, new ActorState(name, actor, run)]));
    this.#tokens = new TokenTable(environment, run, definition.tokens, this.actors);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // it may break when nothing waits any more
    this.broken = promise;
    this.#break = reject;
  }

  actor(name: string): ActorState {
    const actor = this.actors.get(name);
    if (actor === undefined) throw new HarnessError(`there is no actor ${JSON.stringify(name)}`);
    return actor;
  }

  get patienceMs(): number {
    return this.environment.patienceMs;
  }

  nextOrder = (): number => ++this.#order;

  /** A cluster's nodes take turns, as behind a load balancer, but where clients are moved from the first to the second. */
  #nextAddress(): number {
    const { profiles } = this.environment;
    if (!profiles.has(Profile.CLUSTER) || this.definition.needs.includes(Need.MOVE)) return 0;
    return this.#dials++ % this.server.addresses.length;
  }

  /** Opens a WebSocket for an actor. */
  async dial(actor: ActorState, open: Open | undefined): Promise<ClientConnection> {
    const index = open?.address ?? this.#nextAddress();
    const address = this.server.addresses[index];
    if (address === undefined) throw new HarnessError(`the server has no address ${index}`);
    const url = new URL(address);
    if (open?.path) url.pathname = open.path;
    const offered = open?.subprotocols.length ? open.subprotocols : [subprotocolOf[this.form]];
    const connection = await ClientConnection.dial(
      {
        url: url.href,
        subprotocols: open?.noSubprotocol ? [] : offered,
        form: this.form,
        origin: open?.origin ?? "",
        answersPings: !open?.noPong,
        deflate: open?.deflate ?? false,
        withinMs: this.environment.patienceMs,
      },
      {
        actor: actor.name,
        trace: this.trace,
        claims: this.environment.features,
        nextOrder: this.nextOrder,
        broken: this.#break,
      },
    );
    this.#connections.push(connection);
    return connection;
  }

  /** Fills in placeholders, for an actor and a count of repetitions. */
  fill<T extends JsonValue>(value: T, actor?: ActorState, n = 1): T {
    return fillIn(value, this.#lookup(actor, n));
  }

  fillAll(values: readonly JsonObject[], actor?: ActorState): JsonObject[] {
    return values.map((one) => this.fill(one, actor));
  }

  token(name: string) {
    return this.#tokens.get(name, this.#lookup(undefined, 1));
  }

  /** The token that an actor's hello carried. */
  noteHello(actor: ActorState, text: string): void {
    actor.token = this.#tokens.byText(text) ?? actor.token;
  }

  label(name: string, json: JsonValue, order = this.nextOrder()): void {
    if (name !== "") this.#labels.set(name, { json, order });
  }

  labelled(name: string): Labelled {
    const found = this.#labels.get(name);
    if (found === undefined) throw new HarnessError(`there is no label ${name}`);
    return found;
  }

  spanMs(span: Span | undefined, actor?: ActorState): number {
    const { patienceMs } = this.environment;
    const units = actor?.units(patienceMs) ?? { patienceMs, welcome: undefined, goaway: undefined, token: undefined };
    return spanMs(span, units, patienceMs);
  }

  end(): void {
    this.ending.abort();
    for (const connection of this.#connections) connection.cut();
  }

  #lookup(actor: ActorState | undefined, n: number): Lookup {
    return (path) => {
      const [first = "", ...rest] = path.split(".");
      if (first === "run") return this.#run;
      if (first === "n") return n;
      if (first === "seq" && rest.length === 0) return actor?.nextSeq();
      if (first === "pad") return "x".repeat(Number(rest[0]));
      if (first === "wide") return "ä".repeat(Number(rest[0]));
      if (first === "zeros") return Buffer.alloc(Number(rest[0])).toString("base64");
      if (first === "features") return [...this.environment.features];
      if (first === "nowMs") return Date.now();
      if (first === "nowUs") return Date.now() * 1000;
      if (first === "token") return this.token(rest[0] ?? "").text;
      const known = this.actors.get(first);
      if (known !== undefined) return known.value(rest);
      return valueAt(this.#labels.get(first)?.json, rest);
    };
  }
}
