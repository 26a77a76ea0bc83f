import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** What refreshing a token needs. */
export interface RefreshPort {
  nextToken(): string;
  /** Brings a token; resolves with when it expires, in milliseconds since 1970. */
  send(token: string): Promise<bigint>;
}

/** The share of a token's life after which the next one is brought. */
const share = 0.5;
const longestMs = 2 ** 31 - 1;

/** Brings a new token before the one in use expires. */
export class TokenRefresh {
  readonly #breaks: ClientBreaks;
  readonly #port: RefreshPort;
  #timer: NodeJS.Timeout | undefined;

  constructor(breaks: ClientBreaks, port: RefreshPort) {
    this.#breaks = breaks;
    this.#port = port;
  }

  start(expiresAtMs: bigint): void {
    this.stop();
    const lifeMs = Number(expiresAtMs) - Date.now();
    if (lifeMs <= 0 || this.#breaks.has("no-refresh")) return;
    this.#timer = setTimeout(() => void this.#refresh(), Math.min(longestMs, lifeMs * share));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #refresh(): Promise<void> {
    try {
      this.start(await this.#port.send(this.#port.nextToken()));
    } catch {} // the connection ends when the token does, and the client comes back with another one
  }
}
