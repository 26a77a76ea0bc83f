import { CloseCode } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { playerKey } from "../wire/channel-key.ts";
import type { AppHub } from "./app-hub.ts";
import type { Session } from "./session.ts";

/** How long an old connection is served beside the new one until that is finished, in milliseconds. */
const handOverMs = 5_000;

interface HandOver {
  readonly session: Session;
  /** The node where it goes on. */
  readonly owner: bigint;
  readonly timer: Timer;
  /** Other nodes find the player here until then, because they have to tell of its memberships. */
  readonly route: { release(): void };
}

/** Sessions that go on at another node, and whose old connection is still served here. Bounded by the sessions of the node, and each by its time. */
export class HandOvers {
  readonly #hub: AppHub;
  readonly #clock: Clock;
  readonly #entries = new Map<string, HandOver>();
  /** How many each player has. */
  readonly #ofPlayer = new Map<string, number>();

  constructor(hub: AppHub, clock: Clock) {
    this.#hub = hub;
    this.#clock = clock;
  }

  /** To be called before the session departs, so that its player is here all the time. */
  begin(session: Session, owner: bigint): void {
    const { playerId } = session;
    const former = this.#entries.get(session.id);
    // It has come back since, and goes away again.
    if (former !== undefined) this.close(former.session, CloseCode.GOING_AWAY, "the session has another connection");
    const timer = this.#clock.setTimer(handOverMs, () => {
      this.close(session, CloseCode.GOING_AWAY, "the session's new connection is not served in time");
    });
    const route = this.#hub.channels.hold([playerKey(playerId)]);
    route.standing?.catch(() => {}); // it is tried again as long as it is held
    this.#entries.set(session.id, { session, owner, timer, route });
    this.#ofPlayer.set(playerId, (this.#ofPlayer.get(playerId) ?? 0) + 1);
  }

  get(sessionId: string): Session | undefined {
    return this.#entries.get(sessionId)?.session;
  }

  /** Where a session goes on whose old connection is still served here. */
  ownerOf(session: Session): bigint | undefined {
    const entry = this.#entries.get(session.id);
    return entry?.session === session ? entry.owner : undefined;
  }

  /** Whether a connection of the player is still served here. */
  has(playerId: string): boolean {
    return this.#ofPlayer.has(playerId);
  }

  /** Closes what is left here of a session that goes on elsewhere, or ends there. */
  close(session: Session, code: CloseCode, message: string): void {
    const { link } = session;
    this.#hub.closeDeparted(session);
    link?.close(code, message);
  }

  closeAll(isMeant: (session: Session) => boolean, code: CloseCode, message: string): void {
    for (const { session } of [...this.#entries.values()]) if (isMeant(session)) this.close(session, code, message);
  }

  /** Nothing is left of it here. */
  closed(session: Session): void {
    const entry = this.#entries.get(session.id);
    if (entry?.session !== session) return;
    entry.timer.cancel();
    entry.route.release();
    this.#entries.delete(session.id);
    const others = (this.#ofPlayer.get(session.playerId) ?? 0) - 1;
    if (others > 0) this.#ofPlayer.set(session.playerId, others);
    else this.#ofPlayer.delete(session.playerId);
  }
}
