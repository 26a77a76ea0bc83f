import { CloseCode } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import type { AppHub } from "./app-hub.ts";
import type { Session } from "./session.ts";

/** How long an old connection is served beside the new one until that is finished, in milliseconds. */
const handOverMs = 5_000;

/** Sessions that go on at another node, and whose old connection is still served here. Bounded by the sessions of the node, and each by its time. */
export class HandOvers {
  readonly #hub: AppHub;
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly session: Session; readonly timer: Timer }>();

  constructor(hub: AppHub, clock: Clock) {
    this.#hub = hub;
    this.#clock = clock;
  }

  begin(session: Session): void {
    const timer = this.#clock.setTimer(handOverMs, () => {
      this.close(session, CloseCode.GOING_AWAY, "the session's new connection is not served in time");
    });
    this.#entries.set(session.id, { session, timer });
  }

  get(sessionId: string): Session | undefined {
    return this.#entries.get(sessionId)?.session;
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
    this.#entries.delete(session.id);
  }
}
