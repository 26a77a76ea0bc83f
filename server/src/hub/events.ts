/** Why a session is over. */
export type SessionEndReason = "left" | "timeout" | "kicked";

/** What happens in the hub of an app, for the control API's WatchEvents. */
export type HubEvent =
  | { type: "session-opened"; sessionId: string; playerId: string }
  | { type: "session-detached"; sessionId: string; playerId: string; closeCode: number }
  | { type: "session-resumed"; sessionId: string; playerId: string }
  | { type: "session-closed"; sessionId: string; playerId: string; reason: SessionEndReason }
  | { type: "membership-joined"; playerId: string; group: string }
  | { type: "membership-left"; playerId: string; group: string }
  | { type: "subscribed"; sessionId: string; playerId: string; group: string }
  | { type: "unsubscribed"; sessionId: string; playerId: string; group: string };

/** Receives events; must not throw and must not call back into the hub. */
export type HubListener = (event: HubEvent) => void;

/** The listeners of one app. */
export class HubEvents {
  readonly #listeners = new Map<HubListener, () => void>();

  /**
   * Returns what ends the subscription.
   * @param ended called when the app is gone, after which nothing happens in it
   */
  listen(listener: HubListener, ended: () => void = () => {}): () => void {
    this.#listeners.set(listener, ended);
    return () => this.#listeners.delete(listener);
  }

  emit(event: HubEvent): void {
    for (const listener of this.#listeners.keys()) listener(event);
  }

  /** The app is gone. */
  end(): void {
    for (const ended of [...this.#listeners.values()]) ended();
    this.#listeners.clear();
  }
}
