import { CloseCode } from "@fanfare/proto/v1";
import type { Connection } from "./connection.ts";

/** Pings when one side was silent for the interval, at most once an interval, and gives up after interval and timeout. */
export class Heartbeat {
  readonly #connection: Connection;
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #deadMs: number;
  #sentAtMs = performance.now();
  #receivedAtMs = performance.now();
  #pingedAtMs = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, intervalMs: number, timeoutMs: number) {
    const { breaks } = connection;
    this.#connection = connection;
    this.#intervalMs = intervalMs;
    this.#deadMs = breaks.has("dead-after-the-interval") ? intervalMs : intervalMs + timeoutMs;
    this.#timer = setInterval(() => this.#check(), Math.min(50, intervalMs / 4));
  }

  sent(): void {
    this.#sentAtMs = performance.now();
  }

  received(): void {
    this.#receivedAtMs = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { breaks } = this.#connection;
    const nowMs = performance.now();
    if (nowMs - this.#receivedAtMs >= this.#deadMs && !breaks.has("never-dead")) {
      return this.#connection.close(CloseCode.HEARTBEAT_TIMEOUT, "nothing was received");
    }
    const isSilent = nowMs - this.#sentAtMs >= this.#intervalMs;
    const isUnheard = nowMs - this.#receivedAtMs >= this.#intervalMs && !breaks.has("ping-only-when-silent-itself");
    const isDue = nowMs - this.#pingedAtMs >= this.#intervalMs;
    const isEager = breaks.has("pings-too-often") && nowMs - this.#pingedAtMs >= this.#intervalMs / 2;
    if (breaks.has("no-ping") || !((isDue && (isSilent || isUnheard)) || isEager)) return;
    this.#pingedAtMs = nowMs;
    const id = breaks.has("ping-under-id-0") ? 0 : this.#connection.nextId();
    this.#connection.send(
      { case: "ping", value: { sentAtUs: breaks.has("ping-without-time") ? 0n : BigInt(Date.now()) * 1000n } },
      id,
    );
  }
}
