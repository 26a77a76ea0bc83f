import type { TappedFrame } from "@fanfare/sdk-browser";
import { button, element, labelled } from "./element.ts";
import { frameSummary } from "./frame-summary.ts";
import { frameText, timeText } from "./readable.ts";

/** A frame as it is kept. */
interface Entry {
  readonly player: string;
  readonly at: Date;
  readonly tapped: TappedFrame;
  readonly summary: string;
  row?: HTMLElement;
}

/** Frames that are kept; the oldest go first. */
const maxEntries = 500;
const heartbeats: ReadonlySet<string> = new Set(["ping", "pong"]);

/** Every frame of both players, newest last. */
export class Inspector {
  readonly root: HTMLElement;
  readonly #list = element("div", { class: "frames", tabindex: 0, role: "group", "aria-label": "Frames" });
  readonly #count = element("span", { class: "muted", role: "status" });
  readonly #filter = element("input", { type: "search", placeholder: "kind, player or text", autocomplete: "off" });
  readonly #heartbeats = element("input", { type: "checkbox" });
  readonly #pause: HTMLButtonElement;
  #entries: Entry[] = [];
  /** What came while the list was paused. */
  #held: Entry[] | undefined;
  #drawing = false;

  constructor() {
    this.#pause = button("Pause", () => this.#togglePause(), { "aria-pressed": "false" });
    this.#filter.addEventListener("input", () => this.#redraw());
    this.#heartbeats.addEventListener("change", () => this.#redraw());
    this.root = element(
      "section",
      { class: "card inspector", "aria-labelledby": "inspector-title" },
      element(
        "div",
        { class: "inspector-bar" },
        element("h2", { id: "inspector-title" }, "Frames"),
        this.#count,
        labelled("Filter", this.#filter, "inline"),
        element("label", { class: "check" }, this.#heartbeats, "Heartbeats"),
        this.#pause,
        button("Clear", () => this.#clear()),
      ),
      this.#list,
    );
    this.#showCount();
  }

  /** Shows a frame of a player. */
  add(player: string, tapped: TappedFrame): void {
    const entry: Entry = { player, at: new Date(), tapped, summary: frameSummary(tapped) };
    const list = this.#held ?? this.#entries;
    list.push(entry);
    if (list.length > maxEntries) list.shift()?.row?.remove();
    this.#schedule();
  }

  /** Many frames may come in one turn; they are drawn together. */
  #schedule(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  #draw(): void {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const missing = this.#entries.filter((entry) => entry.row === undefined && this.#isShown(entry));
    const last = this.#list.lastElementChild;
    for (const entry of missing) {
      entry.row = frameRow(entry);
      this.#list.append(entry.row);
    }
    if (atEnd && last !== this.#list.lastElementChild) this.#list.scrollTop = this.#list.scrollHeight;
    this.#showCount();
  }

  #redraw(): void {
    this.#list.replaceChildren();
    for (const entry of this.#entries) delete entry.row;
    this.#draw();
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #isShown({ player, tapped, summary }: Entry): boolean {
    const wanted = this.#filter.value.trim().toLowerCase();
    if (!this.#heartbeats.checked && heartbeats.has(tapped.kind)) return false;
    return wanted === "" || `${tapped.kind} ${player} ${summary}`.toLowerCase().includes(wanted);
  }

  #togglePause(): void {
    if (this.#held === undefined) this.#held = [];
    else {
      this.#entries.push(...this.#held);
      this.#held = undefined;
      for (const entry of this.#entries.splice(0, Math.max(0, this.#entries.length - maxEntries))) entry.row?.remove();
    }
    const paused = this.#held !== undefined;
    this.#pause.setAttribute("aria-pressed", String(paused));
    this.#pause.textContent = paused ? "Go on" : "Pause";
    this.#draw();
  }

  #clear(): void {
    this.#entries = [];
    if (this.#held !== undefined) this.#held = [];
    this.#list.replaceChildren();
    this.#showCount();
  }

  #showCount(): void {
    const shown = this.#list.childElementCount;
    const hidden = this.#entries.length - shown;
    const parts = [`${shown} shown`];
    if (hidden > 0) parts.push(`${hidden} hidden`);
    if (this.#held !== undefined) parts.push(`paused, ${this.#held.length} held`);
    if (this.#entries.length === maxEntries) parts.push(`the last ${maxEntries} are kept`);
    this.#count.textContent = parts.join(" · ");
  }
}

/** A row that opens to the whole frame. */
function frameRow({ player, at, tapped, summary }: Entry): HTMLElement {
  const { direction, kind, bytes, connection, frame } = tapped;
  const isOut = direction === "out";
  const row = element(
    "details",
    { class: `frame ${direction}` },
    element(
      "summary",
      {},
      element("span", { class: "time" }, timeText(at)),
      element("span", { class: "who", title: `connection ${connection}` }, player),
      element("span", { class: "arrow", title: isOut ? "to the server" : "from the server" }, isOut ? "↑" : "↓"),
      element("span", { class: "kind" }, kind || "unknown"),
      element("span", { class: "what" }, summary),
      element("span", { class: "size" }, `${bytes} B`),
    ),
  );
  // Most rows are never opened.
  row.addEventListener("toggle", () => row.append(element("pre", { tabindex: 0 }, frameText(frame))), { once: true });
  return row;
}
