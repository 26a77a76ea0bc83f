import { closeDecision, upgradeDecision } from "@fanfare/proto/policy";
import { ReconnectPolicy } from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import type { Ended } from "./connection.ts";

/** What to do after a connection has ended. */
export interface NextStep {
  /** Unset: never. */
  readonly delayMs: number | undefined;
  /** The session cannot be resumed. */
  readonly sessionEnds: boolean;
}

/** After this a connection has held, in milliseconds. */
const heldAfterMs = 10_000;
const longestMs = 30_000;
const firstMs = 250;

/** Decides when a client comes back: sections 20 of the protocol. */
export class ComingBack {
  readonly #breaks: ClientBreaks;
  readonly #tokens: readonly string[];
  #token = 0;
  #draws = 0;
  #soonUsed = false;
  #tokenRefused = false;
  #held: NodeJS.Timeout | undefined;
  #windowMs = 2_000;
  /** Some connection was welcomed. */
  #known = false;

  /** @param tokens what the provider gives, one after the other; the last one again and again */
  constructor(tokens: readonly string[], breaks: ClientBreaks) {
    this.#tokens = tokens;
    this.#breaks = breaks;
  }

  /** The token in use. */
  get token(): string {
    return this.#tokens[Math.min(this.#token, this.#tokens.length - 1)] ?? "";
  }

  /** Asks the provider; whether it gave another token. */
  nextToken(): boolean {
    const before = this.token;
    this.#token++;
    return this.token !== before;
  }

  welcomed(reconnectWindowMs: number): void {
    this.#known = true;
    this.#tokenRefused = false;
    this.#windowMs = reconnectWindowMs;
    if (this.#breaks.has("range-reset-by-welcome")) this.#draws = 0;
    clearTimeout(this.#held);
    this.#held = setTimeout(() => {
      if (!this.#breaks.has("range-never-reset")) this.#draws = 0;
      this.#soonUsed = false;
    }, heldAfterMs);
    this.#held.unref();
  }

  /** @param wasWelcomed whether the connection was */
  after({ code, status }: Ended, wasWelcomed: boolean): NextStep {
    clearTimeout(this.#held);
    const decision = status > 0 ? upgradeDecision(status) : closeDecision(code);
    let { reconnect } = decision;
    const { sessionEnds } = decision;
    if (status > 0 && this.#known) reconnect = ReconnectPolicy.BACKOFF;
    if (this.#breaks.has("never-is-back-off") && reconnect === ReconnectPolicy.NEVER)
      reconnect = ReconnectPolicy.BACKOFF;
    if (this.#breaks.has("lost-connection-is-the-end") && code === 1006) reconnect = ReconnectPolicy.NEVER;
    if (this.#breaks.has("unknown-codes-are-the-end") && isUnknown(code)) reconnect = ReconnectPolicy.NEVER;
    switch (reconnect) {
      case ReconnectPolicy.NEVER:
        return { delayMs: undefined, sessionEnds };
      case ReconnectPolicy.SOON:
        return { delayMs: this.#soon(decision.minBackoffMs), sessionEnds };
      case ReconnectPolicy.NEW_TOKEN:
        return { delayMs: this.#newToken(wasWelcomed), sessionEnds };
      default:
        return { delayMs: this.backOff(decision.minBackoffMs), sessionEnds };
    }
  }

  /** Full jitter. */
  backOff(leastMs = 0): number {
    const rangeMs = Math.min(longestMs, firstMs * 2 ** this.#draws++);
    const drawnMs = this.#breaks.has("longest-delay-always") ? rangeMs : Math.random() * rangeMs;
    return this.#breaks.has("no-least-wait") ? drawnMs / 8 : Math.max(leastMs, drawnMs);
  }

  stop(): void {
    clearTimeout(this.#held);
  }

  #soon(leastMs: number): number {
    if (this.#soonUsed && !this.#breaks.has("always-soon")) return this.backOff(leastMs);
    this.#soonUsed = true;
    return this.#breaks.has("soon-is-late") ? 4_000 + this.#windowMs : Math.random() * this.#windowMs;
  }

  #newToken(wasWelcomed: boolean): number {
    const isOther = this.#breaks.has("old-token-again") ? true : this.nextToken();
    const again = this.#tokenRefused;
    this.#tokenRefused = !wasWelcomed;
    if (this.#breaks.has("refused-token-at-once")) return 0;
    return isOther && !again ? 0 : this.backOff();
  }
}

function isUnknown(code: number): boolean {
  return code === 4077 || code === 4177 || code === 4299 || code === 4377;
}
