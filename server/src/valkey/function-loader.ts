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
    // Without REPLACE: what is loaded under a name is always the same, and replacing it would begin a new run of its marks.
    this.#loading ??= client
      .send(["FUNCTION", "LOAD", this.#source], "all-primaries")
      .then(
        () => {},
        (reason: unknown) => {
          if (!/already exists/i.test(String(reason))) throw reason;
        },
      )
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }
}
