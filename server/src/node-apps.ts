import { create, fromBinary } from "@bufbuild/protobuf";
import { type App, AppSchema } from "@fanfare/proto/config/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { ApiKeys } from "./auth/api-keys.ts";
import { ConfigError } from "./config/config-error.ts";
import { withoutSecrets } from "./config/resolved-app.ts";
import type { ResolvedApp, ResolvedConfig } from "./config/resolved-config.ts";
import { FanfareError } from "./fanfare-error.ts";
import { NodeApp, type NodeAppSurroundings } from "./node-app.ts";
import type { Log } from "./observe/log.ts";

/** As in the configuration file. */
const MAX_APPS = 1000;
/** Bytes of one app that is put, encoded, and of all of them: every node reads all of them with every change. */
const MAX_APP_BYTES = 64 * 1024;
const MAX_APPS_BYTES = 2 * 1024 * 1024;

/** An app as this node has it. */
export interface AppEntry {
  /** Without secrets. */
  readonly shown: App;
  readonly isConfigured: boolean;
  /** Why this node does not serve what was put; empty: it does. */
  readonly problem: string;
}

/** One that was put, whether it can be used here or not. */
interface Late {
  readonly bytes: Uint8Array;
  readonly app: App;
  readonly problem: string;
}

/** The apps of a node: those of its configuration, which stay, and those that were put since. */
export class NodeApps {
  /** Those that are served. */
  readonly served: ReadonlyMap<string, NodeApp>;
  /** As they are defined now. */
  readonly definitions: ReadonlyMap<string, ResolvedApp>;
  readonly #served = new Map<string, NodeApp>();
  readonly #definitions = new Map<string, ResolvedApp>();
  #late: ReadonlyMap<string, Late> = new Map();
  readonly #config: ResolvedConfig;
  readonly #keys: ApiKeys;
  readonly #open: (definition: ResolvedApp) => NodeApp;
  readonly #log: Log;

  /** Called with the id of each app that is gone. */
  onRemoved: (appId: string) => void = () => {};

  /** @param keys that of the control API, kept in line */
  constructor(surroundings: NodeAppSurroundings, keys: ApiKeys) {
    this.served = this.#served;
    this.definitions = this.#definitions;
    this.#config = surroundings.config;
    this.#keys = keys;
    this.#open = (definition) => new NodeApp(definition, surroundings);
    this.#log = surroundings.log;
    for (const definition of this.#config.apps.values()) this.#serve(definition);
  }

  /** Whether the configuration has an app. */
  isConfigured(appId: string): boolean {
    return this.#config.apps.has(appId);
  }

  /**
   * Whether apps are those of others than whoever runs the servers, who has keys of the own then: no key of an app is to see or to do what concerns all. One
   * app of the configuration with none beside is the operator's; and without operator's keys those of the apps are all there are.
   */
  get areTenants(): boolean {
    const { apps, operatorKeys } = this.#config;
    if (operatorKeys.length === 0) return false;
    return apps.size !== 1 || [...this.#late.keys()].some((id) => !this.isConfigured(id));
  }

  /** Encoded definitions of all that were put. */
  put(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#late].map(([id, { bytes }]) => [id, bytes]));
  }

  /** The encoded definition of an app that was put. */
  putBefore(appId: string): Uint8Array | undefined {
    return this.#late.get(appId)?.bytes;
  }

  /** Why this node does not serve what was put of an app; empty: it does. */
  problemOf(appId: string): string {
    return this.#late.get(appId)?.problem ?? "";
  }

  *entries(): Iterable<AppEntry> {
    for (const { id, shown } of this.#config.apps.values()) {
      yield { shown, isConfigured: true, problem: this.problemOf(id) };
    }
    for (const [id, { app, problem }] of this.#late) {
      if (this.isConfigured(id)) continue;
      yield { shown: withoutSecrets(app), isConfigured: false, problem };
    }
  }

  /**
   * Whether an app may be put, by the rules of the configuration.
   * @throws FanfareError INVALID_ARGUMENT naming the field, FAILED_PRECONDITION if it is one of the configuration, LIMIT_EXCEEDED, TOO_LARGE
   */
  check(app: App, bytes: number): void {
    if (this.isConfigured(app.id)) {
      const message = `the app "${app.id}" is in the configuration file, which holds; change it there and restart, node by node`;
      throw new FanfareError(ErrorCode.FAILED_PRECONDITION, message, { field: "app.id" });
    }
    const others = [...this.#late].filter(([id]) => id !== app.id);
    this.#resolve(
      app,
      others.map(([, late]) => late.app),
    );
    if (others.length + this.#config.apps.size >= MAX_APPS) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `there are ${MAX_APPS} apps; delete one first`);
    }
    if (bytes > MAX_APP_BYTES) {
      const message = `the app has ${bytes} bytes; at most ${MAX_APP_BYTES} are allowed`;
      throw new FanfareError(ErrorCode.TOO_LARGE, message, { field: "app" });
    }
    const all = others.reduce((sum, [, late]) => sum + late.bytes.length, bytes);
    if (all <= MAX_APPS_BYTES) return;
    const message = `the apps that were put would have ${all} bytes; at most ${MAX_APPS_BYTES} are allowed: delete one, or put it into the configuration file`;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, message);
  }

  /**
   * Serves exactly these apps beside those of the configuration. Of one that cannot be used here its former definition is served on.
   * @param put encoded definitions
   * @param hasLost those that are missing were deleted by nobody
   */
  apply(put: ReadonlyMap<string, Uint8Array>, hasLost = false): void {
    const former = this.#late;
    const decoded = new Map([...put].map(([id, bytes]) => [id, { bytes, app: appOf(id, bytes) }]));
    for (const id of former.keys()) if (!put.has(id)) this.#remove(id, hasLost);
    // Held against all the others as they are to be: among themselves they were checked when they were put.
    const all = [...decoded.values()].flatMap(({ app }) => app ?? []);
    const late = new Map<string, Late>();
    for (const [id, { bytes, app = create(AppSchema, { id }) }] of decoded) {
      const known = former.get(id);
      const isSame = known?.problem === "" && Buffer.compare(known.bytes, bytes) === 0;
      const problem = isSame ? "" : this.#use(id, app, all);
      late.set(id, { bytes, app, problem });
      if (problem !== "" && problem !== known?.problem) {
        this.#log.error("an app that was put cannot be used here", { app: id, problem });
      } else if (!isSame && problem === "") this.#log.info("an app was put", { app: id, isNew: known === undefined });
    }
    this.#late = late;
  }

  /** @returns why it cannot; empty: it is served */
  #use(id: string, app: App, all: readonly App[]): string {
    if (this.isConfigured(id)) return "the configuration file of this node has an app of this id, which holds";
    try {
      this.#serve(this.#resolve(app, all));
      return "";
    } catch (reason) {
      return FanfareError.from(reason).message;
    }
  }

  #resolve(app: App, others: readonly App[]): ResolvedApp {
    try {
      return this.#config.resolveLateApp(app, others);
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      const field = cause.field === "" ? "app" : `app.${cause.field}`;
      throw new FanfareError(ErrorCode.INVALID_ARGUMENT, cause.message, { field, cause });
    }
  }

  #serve(definition: ResolvedApp): void {
    const { id } = definition;
    const served = this.#served.get(id);
    this.#definitions.set(id, definition);
    this.#keys.set(definition);
    if (served === undefined) this.#served.set(id, this.#open(definition));
    else served.redefine(definition);
  }

  #remove(id: string, isLost: boolean): void {
    if (this.isConfigured(id)) return;
    const served = this.#served.get(id);
    this.#served.delete(id);
    this.#definitions.delete(id);
    this.#keys.delete(id);
    served?.close();
    this.onRemoved(id);
    if (!isLost) this.#log.info("an app was deleted", { app: id });
  }
}

/** Undefined: it cannot be read. */
function appOf(id: string, bytes: Uint8Array): App | undefined {
  try {
    const app = fromBinary(AppSchema, bytes);
    return app.id === id ? app : undefined;
  } catch {
    return undefined;
  }
}
