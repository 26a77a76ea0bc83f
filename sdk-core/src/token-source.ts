import type { TokenReason } from "./connection/states.ts";
import { setDeadline } from "./deadline.ts";
import { FanfareError } from "./error.ts";
import type { TokenRequest } from "./options.ts";
import type { Clock } from "./ports.ts";
import { ErrorCode } from "./wire/schema.ts";

/** A token this close to its end is not used for a new connection. */
const marginMs = 5000;
/** How long a provider may take. */
const providerTimeoutMs = 30_000;

/** Keeps the token in use, and asks the program for another one when it has to. */
export class TokenSource {
  readonly #clock: Clock;
  readonly #getToken: (request: TokenRequest) => string | Promise<string>;
  readonly #asked = new Set<AbortController>();
  #expiresAt = Number.POSITIVE_INFINITY;
  /** The token in use; empty before the first. */
  token = "";

  constructor(clock: Clock, getToken: (request: TokenRequest) => string | Promise<string>) {
    this.#clock = clock;
    this.#getToken = getToken;
  }

  /** The token in use lives for this long; Infinity if the server did not say. */
  livesFor(remainingMs: number): void {
    this.#expiresAt = this.#clock.now() + remainingMs;
  }

  /** Whether the token in use can be used for a new connection. */
  get fresh(): boolean {
    return this.token !== "" && this.#clock.now() < this.#expiresAt - marginMs;
  }

  /** Asks for a token; `changed` if it is another one. Rejects with what the provider throws, or DEADLINE_EXCEEDED. */
  async ask(reason: TokenReason): Promise<{ token: string; changed: boolean }> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#asked.add(controller);
    const clear = setDeadline(this.#clock, this.#clock.now() + providerTimeoutMs, () => controller.abort());
    const token = await new Promise<string>((resolve, reject) => {
      signal.addEventListener("abort", () =>
        reject(new FanfareError(ErrorCode.DEADLINE_EXCEEDED, `no token within ${providerTimeoutMs} ms`)),
      );
      // In a promise's executor, so that what is thrown at once is a rejection, too.
      new Promise<string>((done) => done(this.#getToken({ reason, signal }))).then(resolve, reject);
    }).finally(() => {
      clear();
      this.#asked.delete(controller);
    });
    if (typeof token !== "string" || token === "") {
      throw new FanfareError(ErrorCode.UNAUTHENTICATED, "getToken gave no token");
    }
    return { token, changed: token !== this.token };
  }

  /** Nobody waits for a token any more. */
  stop(): void {
    for (const controller of this.#asked) controller.abort();
  }

  /** Uses a token from now on. */
  use(token: string): void {
    if (token === this.token) return;
    this.token = token;
    this.#expiresAt = Number.POSITIVE_INFINITY;
  }
}
