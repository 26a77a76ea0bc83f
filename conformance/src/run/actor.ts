import { create, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type Actor, type Token, TokenSchema } from "@fanfare/proto/conformance/v1alpha";
import { type ClientFrame, ClientFrameSchema, type Goaway, type Welcome, WelcomeSchema } from "@fanfare/proto/v1";
import { type Lookup, valueAt } from "../cases/placeholders.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { fixtureApps } from "../target/fixtures.ts";
import { type MintedToken, mintToken } from "../target/mint-token.ts";
import type { ClientConnection } from "./client-connection.ts";
import { HarnessError } from "./failure.ts";
import { toCaseJson } from "./frame-form.ts";
import type { SpanUnits } from "./span-ms.ts";

/** Ids of the runner's own pings, out of the way of those that cases use. */
const firstOwnId = 1_000_000;

/** Somebody who plays a client in a case: a player with at most one connection. */
export class ActorState {
  readonly name: string;
  readonly definition: Actor;
  readonly player: string;
  welcome: Welcome | undefined;
  /** The token of its last hello. */
  token: MintedToken | undefined;
  /** Its hello is one that no welcome may answer. */
  isRefused = false;
  #connection: ClientConnection | undefined;
  #seq = 0;
  #id = firstOwnId;

  constructor(name: string, definition: Actor, run: string) {
    this.name = name;
    this.definition = definition;
    this.player = `${definition.player || name}-${run}`;
  }

  /** @throws HarnessError before a step has opened it */
  get connection(): ClientConnection {
    if (this.#connection === undefined) throw new HarnessError(`${this.name} has no connection yet`);
    return this.#connection;
  }

  get hasConnection(): boolean {
    return this.#connection !== undefined;
  }

  attach(connection: ClientConnection): void {
    this.isRefused = false;
    this.#connection = connection;
  }

  nextId(): number {
    return this.#id++;
  }

  nextSeq(): number {
    return ++this.#seq;
  }

  units(patienceMs: number): SpanUnits {
    const goaway: Goaway | undefined = this.#connection?.goaway;
    return { patienceMs, welcome: this.welcome, goaway, token: this.token };
  }

  /** What `${name.path}` stands for. */
  value(path: readonly string[]): JsonValue | undefined {
    const [first = "", ...rest] = path;
    if (first === "player") return this.player;
    if (first === "seq") return this.#seq;
    if (first === "app") return this.definition.token?.app || fixtureApps[0];
    if (first !== "welcome" || this.welcome === undefined) return undefined;
    return valueAt(toCaseJson(WelcomeSchema, this.welcome), rest);
  }

  cut(): void {
    this.#connection?.cut();
  }
}

/** The tokens of a case, each minted when it is used first. */
export class TokenTable {
  readonly #environment: ServerEnvironment;
  readonly #run: string;
  readonly #definitions: Readonly<Record<string, Token>>;
  readonly #actors: ReadonlyMap<string, ActorState>;
  readonly #minted = new Map<string, MintedToken>();

  constructor(
    environment: ServerEnvironment,
    run: string,
    definitions: Readonly<Record<string, Token>>,
    actors: ReadonlyMap<string, ActorState>,
  ) {
    this.#environment = environment;
    this.#run = run;
    this.#definitions = definitions;
    this.#actors = actors;
  }

  get(name: string, lookup: Lookup): MintedToken {
    const known = this.#minted.get(name);
    if (known !== undefined) return known;
    const actor = this.#actors.get(name);
    const definition = this.#definitions[name] ?? actor?.definition.token ?? create(TokenSchema);
    const player = definition.player === "" && actor ? actor.player : `${definition.player || name}-${this.#run}`;
    const filled = {
      ...definition,
      groups: definition.groups.map((one) => fillName(one, lookup)),
      caps: definition.caps.map((one) => fillName(one, lookup)),
    };
    const minted = mintToken(filled, player, this.#environment.tokens);
    this.#minted.set(name, minted);
    return minted;
  }

  /** The token with this text, if a case was given it. */
  byText(text: string): MintedToken | undefined {
    return [...this.#minted.values()].find((one) => one.text === text);
  }
}

function fillName(text: string, lookup: Lookup): string {
  return text.replace(/\$\{([^}]*)\}/g, (_, path: string) => String(lookup(path)));
}

/** A frame of a template whose placeholders are filled in. @throws HarnessError when it is none */
export function frameOf(json: JsonObject): ClientFrame {
  try {
    return fromJson(ClientFrameSchema, json);
  } catch (cause) {
    throw new HarnessError(`the case describes no frame: ${String(cause)}: ${JSON.stringify(json)}`, { cause });
  }
}
