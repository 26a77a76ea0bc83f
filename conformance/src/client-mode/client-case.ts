import type { JsonValue } from "@bufbuild/protobuf";
import type { Case, Span } from "@fanfare/proto/conformance/v1alpha";
import { type Welcome, WelcomeSchema } from "@fanfare/proto/v1";
import { fillIn, valueAt } from "../cases/placeholders.ts";
import { type CaseFailure, HarnessError } from "../run/failure.ts";
import { toCaseJson } from "../run/frame-form.ts";
import { spanMs } from "../run/span-ms.ts";
import type { Trace } from "../run/trace.ts";
import type { AdapterProcess } from "./adapter-process.ts";
import { ClientHistory } from "./client-watcher.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { type Knock, ScriptedServer } from "./scripted-server.ts";

/** A connection of the client, by the name that the case gives it. */
interface Slot {
  peer: PeerConnection | undefined;
  welcome: Welcome | undefined;
}

/** A case for clients that runs: the scripted server, the client behind its adapter, and what steps have kept. */
export class ClientCase {
  readonly definition: Case;
  readonly trace: Trace;
  readonly history: ClientHistory;
  readonly patienceMs: number;
  readonly run: string;
  /** Rejects when a rule that holds everywhere is broken. */
  readonly broken: Promise<never>;
  /** The newest session that was welcomed. */
  session: Welcome | undefined;
  /** When the last connection ended. */
  endedAtMs = performance.now();
  readonly #break: (failure: CaseFailure) => void;
  readonly #slots = new Map<string, Slot>();
  readonly #labels = new Map<string, { json: JsonValue; order: number }>();
  #server: ScriptedServer | undefined;
  #adapter: AdapterProcess | undefined;
  #order = 0;

  constructor(definition: Case, options: { readonly trace: Trace; readonly patienceMs: number; readonly run: string }) {
    this.definition = definition;
    this.trace = options.trace;
    this.patienceMs = options.patienceMs;
    this.run = options.run;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.broken = promise;
    this.#break = reject;
    this.history = new ClientHistory(reject);
    for (const name of Object.keys(definition.actors)) this.#slots.set(name, { peer: undefined, welcome: undefined });
  }

  async begin(adapter: AdapterProcess): Promise<void> {
    this.#adapter = adapter;
    this.#server = await ScriptedServer.start((knock) => this.#knocked(knock));
  }

  async end(): Promise<void> {
    for (const { peer } of this.#slots.values()) peer?.cut();
    await this.#server?.[Symbol.asyncDispose]();
  }

  get server(): ScriptedServer {
    if (this.#server === undefined) throw new HarnessError("the scripted server does not run");
    return this.#server;
  }

  get adapter(): AdapterProcess {
    if (this.#adapter === undefined) throw new HarnessError("there is no adapter");
    return this.#adapter;
  }

  get player(): string {
    return `ada-${this.run}`;
  }

  fail = (failure: CaseFailure): void => this.#break(failure);

  nextOrder = (): number => ++this.#order;

  slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new HarnessError(`there is no connection ${JSON.stringify(name)}`);
    return slot;
  }

  peer(name: string): PeerConnection {
    const { peer } = this.slot(name);
    if (peer === undefined) throw new HarnessError(`no step has accepted ${name} yet`);
    return peer;
  }

  label(name: string, json: JsonValue, order = this.nextOrder()): void {
    if (name !== "") this.#labels.set(name, { json, order });
  }

  labelled(name: string): { json: JsonValue; order: number } {
    const found = this.#labels.get(name);
    if (found === undefined) throw new HarnessError(`there is no label ${name}`);
    return found;
  }

  fill<T extends JsonValue>(value: T, n = 1): T {
    return fillIn(value, (path) => this.#lookup(path.split("."), n));
  }

  spanMs(span: Span | undefined, name = ""): number {
    const slot = this.#slots.get(name);
    const welcome = slot?.welcome ?? this.session;
    const units = { patienceMs: this.patienceMs, welcome, goaway: slot?.peer?.goaway, token: undefined };
    return spanMs(span, units, this.patienceMs);
  }

  #lookup([first = "", ...rest]: string[], n: number): JsonValue | undefined {
    if (first === "run") return this.run;
    if (first === "n") return n;
    if (first === "pad") return "x".repeat(Number(rest[0]));
    if (first === "nowMs") return Date.now();
    if (first === "soonMs") return String(Date.now() + 3_000);
    if (first === "nowUs") return Date.now() * 1000;
    if (first === "url") return this.server.urls[0];
    if (first === "url2") return this.server.urls[1];
    const slot = this.#slots.get(first);
    if (slot === undefined) return valueAt(this.#labels.get(first)?.json, rest);
    if (rest[0] === "player") return this.player;
    if (rest[0] !== "welcome" || slot.welcome === undefined) return undefined;
    return valueAt(toCaseJson(WelcomeSchema, slot.welcome), rest.slice(1));
  }

  /** The client opens a connection: tokens travel in hello alone, and one connection at a time is enough unless it moves. */
  #knocked({ request, offered }: Knock): void {
    const known = offered.some((one) => one === "fanfare.v1.proto" || one === "fanfare.v1.json");
    if (!known) this.history.violate("FF-TR-001", `the client offers ${offered.join(", ") || "no subprotocol"}`);
    const upgrade = `${request.url} ${JSON.stringify(request.headers)}`;
    if (upgrade.includes("token-"))
      this.history.violate("FF-HS-003", "the token stands in the upgrade's URL or headers");
    const standing = [...this.#slots.values()].filter(({ peer }) => peer?.stands === true);
    const moves = standing.some(({ peer }) => peer?.goaway !== undefined);
    if (standing.length > (moves ? 1 : 0)) {
      this.history.violate("FF-BO-008", `the client opens a connection beside ${standing.length} that stand`);
    }
  }
}
