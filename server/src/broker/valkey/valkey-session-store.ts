import { lineOf } from "../../valkey/reply-mark.ts";
import type { Reply } from "../../valkey/valkey-client.ts";
import type { ClaimResult, SessionClaim, SessionStore } from "../session-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";
import { hexOf, incarnationOf } from "./broker-keys.ts";

/** Sessions in Valkey: one hash each, which expires, described in `lua/sessions.ts`. */
export class ValkeySessionStore implements SessionStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async claim(claim: SessionClaim): Promise<ClaimResult> {
    const { appId, sessionId, attempt, owner, record, lifeMs, expects, kicked } = claim;
    const mustExist = expects === "existing" ? "1" : "0";
    const ending = kicked && [`${kicked.atMs}`, `${kicked.code}`, milliseconds(kicked.lifeMs)];
    const args = [
      String(attempt),
      hexOf(owner),
      record,
      milliseconds(lifeMs),
      mustExist,
      ...(ending ?? ["0", "", "0"]),
    ];
    const reply = await this.#change("session_claim", appId, sessionId, args);
    const [outcome, , value = ""] = lineOf(reply);
    switch (outcome) {
      case "claimed": {
        if (value === "-") return { outcome, previous: undefined };
        const previous = { owner: incarnationOf(value), record: (reply as readonly Reply[])[1] as Buffer };
        return { outcome, previous };
      }
      case "stale":
        return { outcome, attempt: Number(value) };
      case "ended":
        return { outcome, code: Number(value) };
      default:
        return { outcome: "unknown" };
    }
  }

  async extend(appId: string, sessionId: string, owner: bigint, lifeMs: number): Promise<void> {
    await this.#change("session_extend", appId, sessionId, [hexOf(owner), milliseconds(lifeMs)]);
  }

  async end(
    appId: string,
    sessionId: string,
    owner: bigint,
    tombstone: { readonly code: number; readonly lifeMs: number } | undefined,
  ): Promise<void> {
    const [code, lifeMs] = tombstone === undefined ? ["", "0"] : [`${tombstone.code}`, milliseconds(tombstone.lifeMs)];
    await this.#change("session_end", appId, sessionId, [hexOf(owner), code, lifeMs]);
  }

  #change(name: string, appId: string, sessionId: string, args: readonly (string | Uint8Array)[]): Promise<Reply> {
    return this.#connections.change(name, this.#connections.keys.session(appId, sessionId), args);
  }
}

/** Whole milliseconds, at least one, as Valkey takes them. */
function milliseconds(ms: number): string {
  return String(Math.max(1, Math.ceil(ms)));
}
