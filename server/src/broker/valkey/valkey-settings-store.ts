import { lineOf } from "../../valkey/reply-mark.ts";
import type { Settings, SettingsStore } from "../settings-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";

/** First byte of a value: it was set, with the encoded message behind, or removed. */
const setMark = 0x31;
const removed = "0";

/** What was set at run time, in one hash of Valkey, described in `lua/settings.ts`. */
export class ValkeySettingsStore implements SettingsStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async read(): Promise<Settings> {
    const parts = await this.#connections.read("read", this.#connections.keys.settings(), []);
    const apps = new Map<string, Map<string, Uint8Array | undefined>>();
    let version = 0;
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const [field, value] = [String(parts[i]), parts[i + 1] as Buffer];
      if (field === "v") {
        version = Number(value);
        continue;
      }
      const slash = field.indexOf("/"); // app ids have none
      const appId = field.slice(0, slash);
      const namespaces = apps.get(appId) ?? new Map<string, Uint8Array | undefined>();
      apps.set(appId, namespaces);
      namespaces.set(field.slice(slash + 1), value[0] === setMark ? value.subarray(1) : undefined);
    }
    return { version, apps: [...apps].map(([appId, namespaces]) => ({ appId, namespaces })) };
  }

  async setNamespace(appId: string, name: string, namespace: Uint8Array | undefined): Promise<number> {
    const value = namespace === undefined ? removed : Buffer.concat([Uint8Array.of(setMark), namespace]);
    const settings = this.#connections.keys.settings();
    return Number(lineOf(await this.#connections.change("settings_set", settings, [`${appId}/${name}`, value]))[2]);
  }

  async version(): Promise<number> {
    const [version] = await this.#connections.read("read", this.#connections.keys.settings(), ["v"]);
    return Number(version ?? 0);
  }
}
