import { setDeadline } from "./deadline.ts";
import type { Clock } from "./ports.ts";
import type { TokenSource } from "./token-source.ts";

/** What a {@link TokenRefresh} needs. */
export interface TokenRefreshActions {
  /** Brings a token to the server; resolves with when it expires, by the server's clock. Undefined: not connected. */
  send(token: string): Promise<number> | undefined;
  /** How far the server's clock is ahead, in milliseconds. */
  clockOffsetMs(): number;
  refreshed(expiresAtMs: number): void;
  failed(thrown: unknown): void;
}

/** The share of a token's life after which a new one is asked for. */
const refreshAfterShare = 0.8;
/** The delay after a refresh that failed. */
const retryAfterMs = 5000;

/** Replaces the token in use before it expires. */
export class TokenRefresh {
  readonly #clock: Clock;
  readonly #tokens: TokenSource;
  readonly #actions: TokenRefreshActions;
  #clear: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, tokens: TokenSource, actions: TokenRefreshActions) {
    this.#clock = clock;
    this.#tokens = tokens;
    this.#actions = actions;
  }

  /** The token in use expires then, by the server's clock, at which it is `serverNowMs`. 0: it was not said. */
  schedule(expiresAtMs: number, serverNowMs: number): void {
    this.#clear?.();
    if (expiresAtMs === 0) return;
    const remainingMs = Math.max(expiresAtMs - serverNowMs, 0);
    this.#tokens.livesFor(remainingMs);
    this.#after(remainingMs * refreshAfterShare);
  }

  stop(): void {
    this.#stopped = true;
    this.#clear?.();
  }

  #after(delayMs: number): void {
    this.#clear?.();
    if (!this.#stopped) this.#clear = setDeadline(this.#clock, this.#clock.now() + delayMs, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    try {
      const { token } = await this.#tokens.ask("refresh");
      const sent = this.#actions.send(token);
      if (sent === undefined) return this.#tokens.use(token); // the next `hello` brings it
      const expiresAtMs = await sent;
      this.#tokens.use(token);
      this.schedule(expiresAtMs, this.#clock.now() + this.#actions.clockOffsetMs());
      this.#actions.refreshed(expiresAtMs);
    } catch (thrown) {
      if (this.#stopped) return;
      this.#actions.failed(thrown);
      this.#after(retryAfterMs);
    }
  }
}
