/** Everything that was set at run time for one app. */
export interface AppSettings {
  readonly appId: string;
  /** The encoded `fanfare.config.v1.App` of an app that was put; undefined: it is one of the configuration. */
  readonly definition: Uint8Array | undefined;
  /** By name: encoded `fanfare.config.v1.Namespace` messages, or undefined for one of the definition that was removed. */
  readonly namespaces: ReadonlyMap<string, Uint8Array | undefined>;
}

/** All of them, as of a version. */
export interface Settings {
  /** Grows with every change; 0: nothing was ever set. */
  readonly version: number;
  readonly apps: readonly AppSettings[];
}

/** The most that is kept of namespaces that were set or removed. */
export interface NamespaceBounds {
  /** Of one app: how many. */
  readonly countOfApp: number;
  /** Of one app, and of all of them: bytes of their names and messages. */
  readonly bytesOfApp: number;
  readonly bytesOfAll: number;
}

/**
 * Every node reads all of the settings with every change and at its start, so that what one app has set costs the players of all: who could set as much as
 * it likes could end the cluster. A thousand namespaces take some 60 to 300 bytes each, most of it their names.
 */
export const namespaceBounds: NamespaceBounds = {
  countOfApp: 1_000,
  bytesOfApp: 128 * 1024,
  bytesOfAll: 2 * 1024 * 1024,
};

/** What is set of a namespace: its encoded message; that the one of the definition is removed; undefined: nothing, so that the definition holds. */
export type NamespaceSetting = Uint8Array | "removed" | undefined;

/** What was set at run time, beside the configuration. Held by a replica where there is one. */
export interface SettingsStore {
  read(): Promise<Settings>;
  /**
   * @param bounds default: {@link namespaceBounds}
   * @returns the version with the change in it
   * @throws FanfareError LIMIT_EXCEEDED if it grows, and there would be more than the bounds allow
   */
  setNamespace(appId: string, name: string, setting: NamespaceSetting, bounds?: NamespaceBounds): Promise<number>;
  /**
   * Puts an app, unless something was set since a version: whether an app may be put depends on the others.
   * @param definition its encoded message
   * @param basedOn the version that was read before
   * @returns the version with the change in it; undefined: something was set meanwhile, and nothing was done
   */
  putApp(appId: string, definition: Uint8Array, basedOn: number): Promise<number | undefined>;
  /**
   * Removes an app that was put, as {@link putApp}.
   * @param withNamespaces and what was set in it
   */
  deleteApp(appId: string, withNamespaces: boolean, basedOn: number): Promise<number | undefined>;
  /** The version alone, in one small command: for the periodic look with which a lost word is made up for. */
  version(): Promise<number>;
}
