import type { JsonValue } from "@bufbuild/protobuf";
import type { Case } from "@fanfare/proto/conformance/v1alpha";
import { fillIn, valueAt } from "../cases/placeholders.ts";
import type { OpenAdapter } from "../client-mode/client-adapter.ts";
import { TokenTable } from "../run/actor.ts";
import type { CaseState } from "../run/case-state.ts";
import { type CaseFailure, HarnessError } from "../run/failure.ts";
import type { Trace } from "../run/trace.ts";
import type { ControlAnswer } from "../target/control-client.ts";
import type { ServerEnvironment, ServerHandle } from "../target/environment.ts";
import { PairActor } from "./pair-actor.ts";

/** What a case begins with. */
export interface PairCaseOptions {
  readonly definition: Case;
  readonly environment: ServerEnvironment;
  readonly server: ServerHandle;
  readonly open: OpenAdapter;
  /** Makes names unique: this run of the case alone has it. */
  readonly run: string;
  readonly trace: Trace;
}

/** A case for a client and a server that runs: the clients that take part, and what its steps have kept. */
export class PairCase implements CaseState, AsyncDisposable {
  readonly definition: Case;
  readonly environment: ServerEnvironment;
  readonly server: ServerHandle;
  readonly trace: Trace;
  readonly pendingCalls = new Map<string, Promise<ControlAnswer>>();
  readonly ending = new AbortController();
  /** Rejects when a rule that holds everywhere is broken. */
  readonly broken: Promise<never>;
  readonly #break: (failure: CaseFailure | HarnessError) => void;
  readonly #options: PairCaseOptions;
  readonly #actors = new Map<string, PairActor>();
  readonly #labels = new Map<string, { readonly json: JsonValue; readonly order: number }>();
  #tokens: TokenTable | undefined;
  #order = 0;

  constructor(options: PairCaseOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.environment = options.environment;
    this.server = options.server;
    this.trace = options.trace;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // it may break when nothing waits any more
    this.broken = promise;
    this.#break = reject;
  }

  /** Starts its clients. @throws HarnessError */
  async begin(): Promise<void> {
    const { definition, environment, run, open, server, trace } = this.#options;
    const common = { definition, run, open, server, trace, claims: environment.features };
    await Promise.all(
      Object.keys(definition.actors).map(async (name) => {
        const own = { name, nextOrder: this.nextOrder, broken: this.#break };
        this.#actors.set(name, await PairActor.start({ ...common, ...own }));
      }),
    );
    const states = new Map([...this.#actors].map(([name, { state }]) => [name, state]));
    this.#tokens = new TokenTable(environment, run, definition.tokens, states);
  }

  get actors(): Iterable<PairActor> {
    return this.#actors.values();
  }

  get patienceMs(): number {
    return this.environment.patienceMs;
  }

  actor(name: string): PairActor {
    const actor = this.#actors.get(name);
    if (actor === undefined) throw new HarnessError(`there is no actor ${JSON.stringify(name)}`);
    return actor;
  }

  /** A token of the case, as a client is given it. */
  token(name: string): string {
    if (this.#tokens === undefined) throw new HarnessError("the case has not begun");
    return this.#tokens.get(name, (path) => this.#lookup(path.split("."), undefined, 1)).text;
  }

  nextOrder = (): number => ++this.#order;

  label(name: string, json: JsonValue, order = this.nextOrder()): void {
    if (name !== "") this.#labels.set(name, { json, order });
  }

  labelled(name: string): { readonly json: JsonValue; readonly order: number } {
    const found = this.#labels.get(name);
    if (found === undefined) throw new HarnessError(`there is no label ${name}`);
    return found;
  }

  fill<T extends JsonValue>(value: T, actor?: PairActor, n = 1): T {
    return fillIn(value, (path) => this.#lookup(path.split("."), actor, n));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ending.abort();
    await Promise.all([...this.#actors.values()].map((one) => one[Symbol.asyncDispose]()));
  }

  #lookup([first = "", ...rest]: string[], actor: PairActor | undefined, n: number): JsonValue | undefined {
    if (first === "run") return this.#options.run;
    if (first === "n") return n;
    if (first === "pad") return "x".repeat(Number(rest[0]));
    if (first === "url") return actor?.proxy.urls[0];
    if (first === "url2") return actor?.proxy.urls[1];
    if (first === "token") return this.token(rest[0] ?? "");
    const known = this.#actors.get(first);
    return known === undefined ? valueAt(this.#labels.get(first)?.json, rest) : known.state.value(rest);
  }
}
