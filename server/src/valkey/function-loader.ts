import type { ValkeyClient } from "./valkey-client.ts";

/** Loads a library into every primary; replicas get it by replication. Calls at the same time share one load. */
export class FunctionLoader {
  readonly #source: string;
  #loading: Promise<void> | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  /** The load that is under way. */
  get current(): Promise<void> | undefined {
    return this.#loading;
  }

  /** Done at the start, and again whenever a primary does not know a function: it joined later, or began anew. */
  load(client: ValkeyClient): Promise<void> {
    // REPLACE, because some of the primaries may have it; what is loaded under a name is always the same.
    this.#loading ??= client
      .send(["FUNCTION", "LOAD", "REPLACE", this.#source], "all-primaries")
      .then(() => {})
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }
}
