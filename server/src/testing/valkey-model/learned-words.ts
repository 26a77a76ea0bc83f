import type { Command, Reply } from "../../valkey/valkey-client.ts";

/** In the place of a word of a command: the epoch of its log, as the client that sends it was told last. Each Valkey has its own, as they are times. */
export const lastEpoch = "<epoch>";
/** The same of an offset that was told with it: its head, or what was stored. */
export const lastOffset = "<offset>";
/** The same of the version of settings. */
export const lastVersion = "<version>";

const placeholders: ReadonlySet<unknown> = new Set([lastEpoch, lastOffset, lastVersion]);

/** What one client has been told of logs and settings, for what it sends then. */
export class LearnedWords {
  readonly #words = new Map<string, string>();

  /** The command with what was learned in the places for it; 0 for what was not. */
  fill(command: Command): Command {
    const of = keyOf(command);
    return command.map((part) => {
      return placeholders.has(part) ? (this.#words.get(`${String(part)} ${of}`) ?? "0") : part;
    });
  }

  /** Takes words of a function's answer for what they are. */
  learn(command: Command, reply: Reply): void {
    const [first] = Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
    const [, , word = "", position = ""] = String(first).split(" ");
    const name = String(command[1]);
    if (/_(append|read|look|prove|delete|clear)$/.test(name) && /^\d{16}$/.test(word)) {
      this.#words.set(`${lastEpoch} ${keyOf(command)}`, word);
      this.#words.set(`${lastOffset} ${keyOf(command)}`, position.split("-", 1)[0] as string);
    }
    if (/_settings_/.test(name) && /^\d+$/.test(word)) this.#words.set(`${lastVersion} ${keyOf(command)}`, word);
  }
}

/** The first key of a call. */
function keyOf(command: Command): string {
  return String(command[3]);
}
