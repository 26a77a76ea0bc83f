import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { randomId } from "../../random.ts";
import { lineOf } from "../../valkey/reply-mark.ts";
import {
  type NamespaceBounds,
  type NamespaceSetting,
  namespaceBounds,
  type Settings,
  type SettingsStore,
} from "../settings-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";
import { hexOf } from "./broker-keys.ts";

/** First byte of a value: it was set, with the encoded message behind, or removed. */
const setMark = 0x31;
const removed = "0";
/** What the field of an app begins with; app ids have no colon. */
const appField = "app:";

/** What was set at run time, in one hash of Valkey, described in `lua/settings.ts`. */
export class ValkeySettingsStore implements SettingsStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async read(): Promise<Settings> {
    const parts = await this.#connections.read("read", this.#connections.keys.settings(), []);
    const apps = new Map<
      string,
      { definition: Uint8Array | undefined; namespaces: Map<string, Uint8Array | undefined> }
    >();
    const settingsOf = (appId: string) => {
      const known = apps.get(appId) ?? { definition: undefined, namespaces: new Map() };
      apps.set(appId, known);
      return known;
    };
    let version = 0;
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const [field, value] = [String(parts[i]), parts[i + 1] as Buffer];
      const slash = field.indexOf("/"); // app ids have none
      if (field === "v") version = Number(value);
      else if (field.startsWith(appField)) settingsOf(field.slice(appField.length)).definition = value;
      else if (slash > 0) {
        const namespace = value[0] === setMark ? value.subarray(1) : undefined;
        settingsOf(field.slice(0, slash)).namespaces.set(field.slice(slash + 1), namespace);
      }
    }
    return { version, apps: [...apps].map(([appId, settings]) => ({ appId, ...settings })) };
  }

  async setNamespace(
    appId: string,
    name: string,
    setting: NamespaceSetting,
    bounds: NamespaceBounds = namespaceBounds,
  ): Promise<number> {
    const { countOfApp, bytesOfApp, bytesOfAll } = bounds;
    const settings = this.#connections.keys.settings();
    const most = [countOfApp, bytesOfApp, bytesOfAll].map(String);
    const reply = await this.#connections.changeOnce("settings_set", settings, [
      appId,
      name,
      fieldValue(setting),
      ...most,
    ]);
    const [verdict, , version] = lineOf(reply);
    if (verdict === "ok") return Number(version);
    const kept = "of namespaces that were set or removed at run time";
    throw new FanfareError(
      ErrorCode.LIMIT_EXCEEDED,
      verdict === "full"
        ? `at most ${countOfApp} ${kept}, and ${bytesOfApp} bytes, are kept for an app; delete some first`
        : `at most ${bytesOfAll} bytes ${kept} are kept for all who use this server`,
    );
  }

  async putApp(appId: string, definition: Uint8Array, basedOn: number): Promise<number | undefined> {
    return await this.#changeApp("settings_put_app", basedOn, [appId, definition]);
  }

  async deleteApp(appId: string, withNamespaces: boolean, basedOn: number): Promise<number | undefined> {
    return await this.#changeApp("settings_delete_app", basedOn, [appId, withNamespaces ? "1" : "0"]);
  }

  async #changeApp(
    called: string,
    basedOn: number,
    args: readonly (string | Uint8Array)[],
  ): Promise<number | undefined> {
    const { keys, random } = this.#connections;
    const nonce = hexOf(randomId(random));
    const reply = await this.#connections.change(called, keys.settings(), [nonce, String(basedOn), ...args]);
    const [verdict, , version] = lineOf(reply);
    return verdict === "ok" ? Number(version) : undefined;
  }

  async version(): Promise<number> {
    const [version] = await this.#connections.read("read", this.#connections.keys.settings(), ["v"]);
    return Number(version ?? 0);
  }
}

function fieldValue(setting: NamespaceSetting): string | Uint8Array {
  if (setting === undefined) return "";
  return setting === "removed" ? removed : Buffer.concat([Uint8Array.of(setMark), setting]);
}
