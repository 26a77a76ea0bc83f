import type { StatusEvent } from "@fanfare/sdk-browser";
import { element } from "./element.ts";

/** What the pill shows, and how it looks. */
type Look = "off" | "busy" | "on";

/** Where a player's connection stands: in a word, with a countdown while it waits, and with its heartbeat. */
export class ConnectionStatus {
  readonly root: HTMLElement;
  readonly #word = element("span", { role: "status" }, "Disconnected");
  /** Beside the live region, so that nobody has a countdown read out to them. */
  readonly #countdown = element("span", { class: "countdown", "aria-hidden": "true" });
  readonly #pill = element("span", { class: "pill off" }, this.#word, this.#countdown);
  readonly #beat = element("span", { class: "beat", "aria-hidden": "true" }, "♥");
  readonly #details = element("span", { class: "muted" });
  #retryAtMs: number | undefined;
  #beatAtMs: number | undefined;
  #roundTripMs: number | undefined;
  #resumes = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.root = element("p", { class: "status" }, this.#pill, element("span", {}, this.#beat, " ", this.#details));
    this.#tick();
  }

  /** Shows an event of the client. */
  show(event: StatusEvent): void {
    if (event.type === "latency") this.#roundTripMs = event.roundTripMs;
    else if (event.type === "connecting") this.#set("busy", "Connecting…");
    else if (event.type === "moving") this.#set("busy", "Moving…");
    else if (event.type === "suspended") this.#set("off", "Suspended");
    else if (event.type === "waiting") {
      this.#set("busy", "Connection lost");
      this.#retryAtMs = performance.now() + event.delayMs;
    } else if (event.type === "open") {
      if (event.resumed) this.#resumes++;
      this.#set("on", event.resumed ? "Connected again" : "Connected");
      this.#beatAtMs = performance.now();
    } else if (event.type === "closed") {
      this.#resumes = 0;
      this.#roundTripMs = undefined;
      this.#set("off", event.error === undefined ? "Disconnected" : `Disconnected: ${event.error.message}`);
    }
    this.#tick();
  }

  /** A ping or pong came. */
  heartbeat(): void {
    this.#beatAtMs = performance.now();
    this.#beat.classList.remove("beating");
    void this.#beat.offsetWidth; // so that the animation begins anew
    this.#beat.classList.add("beating");
    this.#tick();
  }

  #set(look: Look, word: string): void {
    this.#retryAtMs = undefined;
    this.#pill.className = `pill ${look}`;
    if (this.#word.textContent !== word) this.#word.textContent = word;
    if (look === "off") clearInterval(this.#timer);
    else this.#timer ??= setInterval(() => this.#tick(), 100);
    if (look === "off") this.#timer = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const waitMs = this.#retryAtMs === undefined ? undefined : Math.max(0, this.#retryAtMs - now);
    this.#countdown.textContent = waitMs === undefined ? "" : `next attempt in ${(waitMs / 1000).toFixed(1)} s`;
    const isOn = this.#pill.classList.contains("on");
    this.#beat.hidden = !isOn;
    const parts: string[] = [];
    if (isOn && this.#roundTripMs !== undefined) parts.push(`${this.#roundTripMs.toFixed(1)} ms round trip`);
    if (isOn && this.#beatAtMs !== undefined)
      parts.push(`heartbeat ${Math.floor((now - this.#beatAtMs) / 1000)} s ago`);
    if (this.#resumes > 0) parts.push(`session resumed ${this.#resumes}×`);
    this.#details.textContent = parts.join(" · ");
  }
}
