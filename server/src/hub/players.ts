import { playerKey } from "../wire/channel-key.ts";
import type { ChannelRoutes } from "./channel-table.ts";
import type { Session } from "./session.ts";

const none: ReadonlySet<Session> = new Set();

/**
 * The players of one app who have sessions on this node. Other nodes find a player's by the route of its channel, which is held from the first
 * session to the last, because a client may unsubscribe that channel and still be one to call, count and tell of memberships. Bounded by sessions.
 */
export class Players {
  readonly #routes: ChannelRoutes | undefined;
  readonly #sessions = new Map<string, Set<Session>>();

  /** @param routes undefined: this node is alone */
  constructor(routes: ChannelRoutes | undefined) {
    this.#routes = routes;
  }

  has(playerId: string): boolean {
    return this.#sessions.has(playerId);
  }

  sessionsOf(playerId: string): ReadonlySet<Session> {
    return this.#sessions.get(playerId) ?? none;
  }

  add(session: Session): void {
    const { playerId } = session;
    const known = this.#sessions.get(playerId);
    if (known !== undefined) return void known.add(session);
    this.#sessions.set(playerId, new Set([session]));
    // Whoever arrives has waited for it to stand; one that is lost is tried again as long as it is held.
    void this.#routes?.hold(playerKey(playerId))?.catch(() => {});
  }

  /** True: it was the player's last. */
  remove(session: Session): boolean {
    const { playerId } = session;
    const known = this.#sessions.get(playerId);
    if (known?.delete(session) !== true || known.size > 0) return false;
    this.#sessions.delete(playerId);
    this.#routes?.release(playerKey(playerId));
    return true;
  }
}
