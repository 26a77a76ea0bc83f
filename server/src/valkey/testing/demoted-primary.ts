import type { WhoAnswers } from "../supervised-client.ts";
import type { Command, Reply, ValkeyClient } from "../valkey-client.ts";

/** See {@link DemotedPrimary}. */
export const whoAnswers: WhoAnswers = {
  anywhere: ["FCALL", "f_mark", "0", "1"],
  atPrimary: (slotOf) => ["FCALL", "f_mark", "1", `${slotOf}:touch`, "1"],
};

/**
 * A shard after a planned failover, as a client of GLIDE sees it: it goes on to the former primary, which is a replica now, until a command with a
 * key is redirected.
 */
export class DemotedPrimary implements ValkeyClient {
  /** Where the client goes. */
  goesTo: "former" | "primary" = "former";
  /** Who has subscribed at the primary. */
  subscribers = 1;
  /** The primary does not answer. */
  isDead = false;
  /** Each batch: where it went, and its commands, functions with the number of their keys. */
  readonly batches: string[] = [];

  async send(): Promise<Reply> {
    return null;
  }

  async pipeline(commands: readonly Command[]): Promise<readonly Reply[]> {
    this.batches.push(
      `${this.goesTo}: ${commands.map(([name, , keys]) => (name === "FCALL" ? `FCALL ${keys}` : name)).join(", ")}`,
    );
    const here = this.goesTo;
    return commands.map((command) => this.#carryOut(command, here));
  }

  close(): void {}

  #carryOut([name, , keys]: Command, here: "former" | "primary"): Reply {
    const lost = new Error("connection error");
    if (name !== "FCALL") return here === "primary" ? this.subscribers : 0;
    if (here === "former" && keys === "0") {
      return new Error("An error was signalled by the server: - ReadOnly: a read only replica.");
    }
    if (this.isDead) return lost;
    this.goesTo = "primary";
    return `ok primary:1:1`;
  }
}
