import { fromBinary } from "@bufbuild/protobuf";
import { NamespaceSchema } from "@fanfare/proto/config/v1";
import type { Settings, SettingsStore } from "../broker/settings-store.ts";
import type { Clock, Timer } from "../clock.ts";
import type { NamespaceRegistry } from "../namespace/namespace-registry.ts";
import type { Log } from "../observe/log.ts";

/** What a {@link SettingsSync} is made of. */
export interface SettingsSyncOptions {
  readonly store: SettingsStore;
  /**
   * Serves these apps beside those of the configuration, and no others.
   * @param hasLost nobody has deleted those that are missing: the store has lost them
   */
  readonly applyApps: (definitions: ReadonlyMap<string, Uint8Array>, hasLost: boolean) => void;
  readonly namespacesOf: (appId: string) => NamespaceRegistry | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long after a failure the settings are read again, in milliseconds. */
const retryMs = 1_000;
/** The least time between two looks that others cause, in milliseconds. */
const lookEveryMs = 200;
/** After which it is looked whether there is something newer of which nobody has told, in milliseconds: who has set it may be gone since. */
const watchMs = 5_000;
/** Apps and namespaces that a line of the log names; there can be thousands. */
const maxNamed = 20;

/** A namespace that was set at run time. */
interface Applied {
  readonly appId: string;
  readonly name: string;
  readonly bytes: Uint8Array | undefined;
}

/** Brings what was set at run time, on whatever node, into this one. Reads once however many words of a change come in meanwhile. */
export class SettingsSync {
  readonly #options: SettingsSyncOptions;
  /** What was applied last: applied again only when it has changed. */
  #applied: ReadonlyMap<string, Applied> = new Map();
  /** Apps that were put, as they were read last. */
  #apps: ReadonlySet<string> = new Set();
  #version = 0;
  #wanted = 0;
  #reading: Promise<number> | undefined;
  #next: Promise<number> | undefined;
  #look: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #watch: Timer | undefined;
  #closed = false;

  constructor(options: SettingsSyncOptions) {
    this.#options = options;
  }

  /** The version that this node has: what was read last, which can be less than was read before. */
  get version(): number {
    return this.#version;
  }

  /** Settles when the settings of now have been read once. From then on it looks for newer ones. @throws FanfareError UNAVAILABLE */
  async open(): Promise<void> {
    await this.refresh();
    this.#watchOn();
  }

  /**
   * Settles when this node has the settings as of now, or newer ones.
   * @returns the version that was read; after a failover it may be an older one than before
   * @throws FanfareError UNAVAILABLE
   */
  refresh(): Promise<number> {
    if (this.#next !== undefined) return this.#next;
    if (this.#reading === undefined) return this.#begin();
    // The one that is under way may have begun too early. One at a time, so that an older one never comes last.
    this.#next = this.#reading.then(ignore, ignore).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  /**
   * The same, for whoever may be wrong: all who ask within a fifth of a second share a look at the version.
   * @throws FanfareError UNAVAILABLE
   */
  lookAgain(): Promise<void> {
    const { clock, store } = this.#options;
    this.#look ??= new Promise<void>((resolve, reject) => {
      const waitMs = Math.max(0, this.#lookedAtMs + lookEveryMs - clock.monotonicMs());
      clock.setTimer(waitMs, () => {
        this.#look = undefined;
        this.#lookedAtMs = clock.monotonicMs();
        const look = async (): Promise<void> => {
          if ((await store.version()) !== this.#version) await this.refresh();
        };
        look().then(resolve, reject);
      });
    });
    return this.#look;
  }

  /** Somewhere there is this version. Settles when this node has it, or it could not be read now; it is tried again then. */
  async atLeast(version: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, version);
    while (this.#version < this.#wanted && !this.#closed) {
      try {
        await this.refresh();
      } catch (reason) {
        const { log, clock } = this.#options;
        log.warn("the settings could not be read", { reason: String(reason) });
        clock.setTimer(retryMs, () => void this.atLeast(version));
        return;
      }
      // A failover may have lost the newest: then there is nothing newer to read.
      this.#wanted = Math.min(this.#wanted, this.#version);
    }
  }

  close(): void {
    this.#closed = true;
    this.#watch?.cancel();
  }

  #watchOn(): void {
    if (this.#closed) return;
    this.#watch = this.#options.clock.setTimer(watchMs, () => {
      void this.lookAgain()
        .catch(ignore)
        .then(() => this.#watchOn());
    });
  }

  #begin(): Promise<number> {
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<number> {
    const settings = await this.#options.store.read();
    if (this.#closed) return settings.version;
    const definitions = settings.apps.flatMap(({ appId, definition }) =>
      definition === undefined ? [] : [[appId, definition] as const],
    );
    // It grows with every change, so that whoever has an older one has lost what came after it.
    const hasLost = settings.version < this.#version;
    if (hasLost) this.#tellLost(settings);
    this.#options.applyApps(new Map(definitions), hasLost);
    this.#applyNamespaces(settings);
    this.#apps = new Set(definitions.map(([appId]) => appId));
    this.#version = settings.version;
    return settings.version;
  }

  #tellLost({ version, apps }: Settings): void {
    const left = new Set(apps.flatMap(({ appId, definition }) => (definition === undefined ? [] : [appId])));
    const leftNamespaces = new Set(
      apps.flatMap(({ appId, namespaces }) => [...namespaces.keys()].map((name) => `${appId}/${name}`)),
    );
    const lost = [...this.#apps].filter((appId) => !left.has(appId));
    const lostNamespaces = [...this.#applied.keys()].filter((id) => !leftNamespaces.has(id));
    this.#options.log.warn(
      "valkey has lost apps, namespaces or changes of them that were set at run time: put them again, and see that it keeps them over a restart",
      {
        ...{ version, formerVersion: this.#version },
        ...{ apps: lost.slice(0, maxNamed), appCount: lost.length },
        ...{ namespaces: lostNamespaces.slice(0, maxNamed), namespaceCount: lostNamespaces.length },
      },
    );
  }

  #applyNamespaces({ apps }: Settings): void {
    const { namespacesOf } = this.#options;
    const former = this.#applied;
    const applied = new Map<string, Applied>();
    for (const { appId, namespaces } of apps) {
      const registry = namespacesOf(appId);
      if (registry === undefined) continue;
      for (const [name, bytes] of namespaces) {
        const id = `${appId}/${name}`;
        applied.set(id, { appId, name, bytes });
        const known = former.get(id);
        if (known === undefined || !isSame(known.bytes, bytes)) this.#apply(registry, id, name, bytes);
      }
    }
    for (const [id, { appId, name }] of former) if (!applied.has(id)) namespacesOf(appId)?.reset(name);
    this.#applied = applied;
  }

  #apply(registry: NamespaceRegistry, id: string, name: string, bytes: Uint8Array | undefined): void {
    try {
      if (bytes === undefined) registry.delete(name);
      else registry.put(name, fromBinary(NamespaceSchema, bytes).rules);
    } catch (reason) {
      this.#options.log.error("a namespace that was set at run time cannot be used by this node", {
        id,
        reason: String(reason),
      });
    }
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function ignore(): void {}
