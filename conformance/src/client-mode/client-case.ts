import type { IncomingMessage } from "node:http";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Case, Span } from "@fanfare/proto/conformance/v1alpha";
import { type Goaway, type Welcome, WelcomeSchema } from "@fanfare/proto/v1";
import { fillIn, valueAt } from "../cases/placeholders.ts";
import { ClientHistory } from "../client-rules/client-history.ts";
import { FaultProxy } from "../fault-proxy/fault-proxy.ts";
import { type CaseFailure, HarnessError } from "../run/failure.ts";
import type { Form } from "../run/frame-form.ts";
import { toCaseJson } from "../run/frame-form.ts";
import { spanMs } from "../run/span-ms.ts";
import type { Trace } from "../run/trace.ts";
import type { ClientAdapter } from "./client-adapter.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { watchProxied } from "./watch-proxied.ts";

/** How much later than a new connection the close of the former one may arrive, in milliseconds. */
const closeMs = 100;

/** How long a client may take to answer the last ping of a case before it is not waited for, in milliseconds. */
const lastLookMs = 300;

/** A connection of the client, by the name that the case gives it. */
interface Slot {
  peer: PeerConnection | undefined;
  welcome: Welcome | undefined;
}

/** What a case runs with. */
export interface ClientCaseOptions {
  readonly form: Form;
  readonly trace: Trace;
  readonly patienceMs: number;
  readonly run: string;
}

/** A case for clients that runs: the scripted server, the client behind its adapter, and what steps have kept. */
export class ClientCase {
  readonly definition: Case;
  readonly form: Form;
  readonly trace: Trace;
  readonly patienceMs: number;
  readonly run: string;
  /** Rejects when a rule that holds everywhere is broken. */
  readonly broken: Promise<never>;
  /** The newest session that was welcomed. */
  session: Welcome | undefined;
  /** The newest one that was sent. */
  goaway: Goaway | undefined;
  /** When the last connection ended. */
  endedAtMs = performance.now();
  readonly #break: (failure: CaseFailure | HarnessError) => void;
  readonly #slots = new Map<string, Slot>();
  readonly #labels = new Map<string, { json: JsonValue; order: number }>();
  #history: ClientHistory | undefined;
  #server: ScriptedServer | undefined;
  #proxy: FaultProxy | undefined;
  #adapter: ClientAdapter | undefined;
  #order = 0;
  #markers = 0;

  constructor(definition: Case, { form, trace, patienceMs, run }: ClientCaseOptions) {
    this.definition = definition;
    this.form = form;
    this.trace = trace;
    this.patienceMs = patienceMs;
    this.run = run;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.broken = promise;
    this.#break = reject;
    for (const name of Object.keys(definition.actors)) this.#slots.set(name, { peer: undefined, welcome: undefined });
  }

  async begin(adapter: ClientAdapter): Promise<void> {
    this.#adapter = adapter;
    const { features } = await adapter.ready;
    this.#history = new ClientHistory(new Set(features), this.#break);
    const hasFaults = this.definition.steps.some(({ action }) => action.case === "faults");
    this.#server = await ScriptedServer.start({
      knocked: ({ request }) => {
        if (this.#proxy === undefined) this.#knocked(request, this.#standing());
      },
      odd: (text) => this.history.violate({ spec: "FF-GO-007", text }),
    });
    if (!hasFaults) return;
    const { urls } = this.#server;
    this.#proxy = await FaultProxy.start({ upstreams: urls, watch: (...knock) => this.#watchProxied(...knock) });
  }

  /** What the client has said up to now has been looked at. A connection that does not answer any more is not waited for long. */
  async settled(): Promise<void> {
    const peers = [...this.#slots.values()].flatMap(({ peer, welcome }) => (welcome && peer?.stands ? [peer] : []));
    await Promise.all(peers.map((peer) => peer.settled(lastLookMs)));
  }

  async end(): Promise<void> {
    for (const { peer } of this.#slots.values()) peer?.cut();
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }

  get server(): ScriptedServer {
    return required(this.#server, "the scripted server does not run");
  }

  get history(): ClientHistory {
    return required(this.#history, "the client does not run");
  }

  get adapter(): ClientAdapter {
    return required(this.#adapter, "there is no adapter");
  }

  /** Only in cases with a step `faults`. */
  get proxy(): FaultProxy | undefined {
    return this.#proxy;
  }

  /** WebSocket URLs for the client. */
  get urls(): string[] {
    return (this.#proxy ?? this.server).urls;
  }

  get player(): string {
    return `ada-${this.run}`;
  }

  nextOrder = (): number => ++this.#order;

  /** Numbers the runner's own messages, by which it sees what was handed over. */
  nextMarker(): number {
    return ++this.#markers;
  }

  slot(name: string): Slot {
    return required(this.#slots.get(name), `there is no connection ${JSON.stringify(name)}`);
  }

  peer(name: string): PeerConnection {
    return required(this.slot(name).peer, `no step has accepted ${name} yet`);
  }

  label(name: string, json: JsonValue, order = this.nextOrder()): void {
    if (name !== "") this.#labels.set(name, { json, order });
  }

  labelled(name: string): { json: JsonValue; order: number } {
    return required(this.#labels.get(name), `there is no label ${name}`);
  }

  fill<T extends JsonValue>(value: T, n = 1): T {
    return fillIn(value, (path) => this.#lookup(path.split("."), n));
  }

  spanMs(span: Span | undefined, name = ""): number {
    const slot = this.#slots.get(name);
    const welcome = slot?.welcome ?? this.session;
    const units = { patienceMs: this.patienceMs, welcome, goaway: this.goaway, token: undefined };
    return spanMs(span, units, this.patienceMs);
  }

  #lookup([first = "", ...rest]: string[], n: number): JsonValue | undefined {
    if (first === "run") return this.run;
    if (first === "n") return n;
    if (first === "pad") return "x".repeat(Number(rest[0]));
    if (first === "wide") return "ä".repeat(Number(rest[0]));
    if (first === "nowMs") return Date.now();
    if (first === "soonMs") return String(Date.now() + 3_000);
    if (first === "nowUs") return Date.now() * 1000;
    if (first === "url") return this.urls[0];
    if (first === "url2") return this.urls[1];
    if (first === "secureUrl") return this.urls[0]?.replace("ws:", "wss:");
    const slot = this.#slots.get(first);
    if (slot === undefined) return valueAt(this.#labels.get(first)?.json, rest);
    if (rest[0] === "player") return this.player;
    if (rest[0] !== "welcome" || slot.welcome === undefined) return undefined;
    return valueAt(toCaseJson(WelcomeSchema, slot.welcome), rest.slice(1));
  }

  /** Connections of the client that no side has closed. */
  #standing(): { readonly stands: boolean }[] {
    const peers = [...this.#slots.values()].flatMap(({ peer }) => peer ?? []);
    return (this.#proxy?.standing ?? peers).filter(({ stands }) => stands);
  }

  #watchProxied(number: number, request: IncomingMessage) {
    this.#knocked(request, this.#standing());
    return watchProxied(number, {
      history: this.history,
      trace: this.trace,
      ended: () => {
        this.endedAtMs = performance.now();
      },
      failed: this.#break,
    });
  }

  /** The client opens a connection: tokens travel in hello alone, and one connection at a time is enough unless it moves. */
  #knocked({ url, headers }: IncomingMessage, standing: readonly { readonly stands: boolean }[]): void {
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    const { history } = this;
    const known = offered.some((one) => one === "fanfare.v1.proto" || one === "fanfare.v1.json");
    if (!known) history.violate({ spec: "FF-TR-001", text: `the client offers ${offered.join(", ") || "nothing"}` });
    const upgrade = `${url} ${JSON.stringify(headers)}`;
    if ([...history.secrets].some((secret) => upgrade.includes(secret)))
      history.violate({ spec: "FF-HS-003", text: "the token stands in the upgrade's URL or headers" });
    if (standing.length <= (this.goaway === undefined ? 0 : 1)) return;
    // Its close may still be on the way.
    setTimeout(() => {
      const left = standing.filter(({ stands }) => stands).length;
      if (left < standing.length) return;
      history.violate({ spec: "FF-BO-008", text: `the client opens a connection beside ${left} that stand` });
    }, closeMs).unref();
  }
}

function required<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new HarnessError(message);
  return value;
}
