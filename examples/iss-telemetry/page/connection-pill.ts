import type { StatusEvent } from "@fanfare/sdk-browser";

/** Where the connection stands, in a word, and while it waits with the seconds to the next attempt. */
export class ConnectionPill {
  readonly #root: HTMLElement;
  readonly #word: HTMLElement;
  /** Beside the live region, so that nobody has a countdown read out to them. */
  readonly #countdown: HTMLElement;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param root an element that holds two others: a live region and one that is hidden from assistive technology */
  constructor(root: HTMLElement) {
    this.#root = root;
    [this.#word, this.#countdown] = root.children as unknown as [HTMLElement, HTMLElement];
  }

  show(event: StatusEvent): void {
    if (event.type === "connecting") this.#set("busy", "Connecting…");
    else if (event.type === "open") this.#set("on", "Live");
    else if (event.type === "moving") this.#set("on", "Live, moving");
    else if (event.type === "waiting") this.#set("busy", "Connection lost", performance.now() + event.delayMs);
    else if (event.type === "suspended") this.#set("off", "Asleep");
    else if (event.type === "closed") this.#set("off", event.error?.message ?? "Closed");
  }

  #set(look: "on" | "busy" | "off", word: string, retryAtMs?: number): void {
    this.#root.className = `pill ${look}`;
    this.#word.textContent = word;
    clearInterval(this.#timer);
    this.#countdown.textContent = "";
    if (retryAtMs === undefined) return;
    const tick = () => {
      const seconds = Math.max(0, retryAtMs - performance.now()) / 1000;
      this.#countdown.textContent = `next attempt in ${seconds.toFixed(1)} s`;
    };
    tick();
    this.#timer = setInterval(tick, 100);
  }
}
