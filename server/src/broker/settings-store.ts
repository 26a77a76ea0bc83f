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

/** What was set at run time, beside the configuration. Held by a replica where there is one. */
export interface SettingsStore {
  read(): Promise<Settings>;
  /**
   * @param namespace its encoded message; undefined removes it
   * @returns the version with the change in it
   */
  setNamespace(appId: string, name: string, namespace: Uint8Array | undefined): Promise<number>;
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
