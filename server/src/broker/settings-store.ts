/** Everything that was set at run time for one app. */
export interface AppSettings {
  readonly appId: string;
  /** By name: encoded `fanfare.config.v1.Namespace` messages, or undefined for one of the configuration that was removed. */
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
  /** The version alone, in one small command: for the periodic look with which a lost word is made up for. */
  version(): Promise<number>;
}
