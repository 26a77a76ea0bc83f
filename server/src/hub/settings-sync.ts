import { fromBinary } from "@bufbuild/protobuf";
import { NamespaceSchema } from "@fanfare/proto/config/v1";
import type { SettingsStore } from "../broker/settings-store.ts";
import type { Clock } from "../clock.ts";
import type { NamespaceRegistry } from "../namespace/namespace-registry.ts";
import type { Log } from "../observe/log.ts";

/** How long after a failure the settings are read again, in milliseconds. */
const retryMs = 1_000;

/** Brings what was set at run time, on whatever node, into this one. Reads once however many words of a change come in meanwhile. */
export class SettingsSync {
  readonly #store: SettingsStore;
  readonly #namespacesOf: (appId: string) => NamespaceRegistry | undefined;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What was applied last, by app and name: applied again only when it has changed. */
  readonly #applied = new Map<string, string>();
  #version = 0;
  #wanted = 0;
  #reading: Promise<void> | undefined;
  #closed = false;

  constructor(
    store: SettingsStore,
    namespacesOf: (appId: string) => NamespaceRegistry | undefined,
    clock: Clock,
    log: Log,
  ) {
    this.#store = store;
    this.#namespacesOf = namespacesOf;
    this.#clock = clock;
    this.#log = log;
  }

  /** The version that this node has. */
  get version(): number {
    return this.#version;
  }

  /** Settles when the settings of now have been read once. @throws FanfareError UNAVAILABLE */
  async open(): Promise<void> {
    await this.#read();
  }

  /** Somewhere there is this version. Settles when this node has it, or it could not be read now; it is tried again then. */
  async atLeast(version: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, version);
    while (this.#version < this.#wanted && !this.#closed) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      try {
        await this.#reading;
      } catch (reason) {
        this.#log.warn("the settings could not be read", { reason: String(reason) });
        this.#clock.setTimer(retryMs, () => void this.atLeast(version));
        return;
      }
      // A failover may have lost the newest: then there is nothing newer to read.
      this.#wanted = Math.min(this.#wanted, this.#version);
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #read(): Promise<void> {
    const { version, apps } = await this.#store.read();
    for (const { appId, namespaces } of apps) {
      const registry = this.#namespacesOf(appId);
      for (const [name, bytes] of registry === undefined ? [] : namespaces) {
        this.#apply(registry as NamespaceRegistry, `${appId}/${name}`, name, bytes);
      }
    }
    this.#version = Math.max(this.#version, version);
  }

  #apply(registry: NamespaceRegistry, id: string, name: string, bytes: Uint8Array | undefined): void {
    const mark = bytes === undefined ? "" : Buffer.from(bytes).toString("base64");
    if (this.#applied.get(id) === mark) return;
    this.#applied.set(id, mark);
    try {
      if (bytes === undefined) registry.delete(name);
      else registry.put(name, fromBinary(NamespaceSchema, bytes).rules);
    } catch (reason) {
      this.#log.error("a namespace that was set at run time cannot be used by this node", {
        id,
        reason: String(reason),
      });
    }
  }
}
