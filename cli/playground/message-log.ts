import type { MessageMeta, Payload } from "@fanfare/sdk-browser";
import { element } from "./element.ts";
import { payloadText, targetText, timeText } from "./readable.ts";

/** Messages that are kept; the oldest go first. */
const maxMessages = 200;

/** What a player has received, newest last, and what happened meanwhile. */
export class MessageLog {
  readonly root: HTMLElement;
  readonly #list = element("ol", { class: "messages", role: "log", "aria-live": "polite", tabindex: 0 });

  constructor(label: string) {
    this.#list.setAttribute("aria-label", label);
    this.root = this.#list;
  }

  /** A message. `isOwn`: this session has sent it. */
  message(payload: Payload, meta: MessageMeta, isOwn: boolean): void {
    const kind = meta.channel === "broadcast" ? "broadcast" : "group" in meta.channel ? "group" : "player";
    this.#add(
      element(
        "li",
        { class: isOwn ? "own" : undefined },
        element("span", { class: "time" }, timeText(meta.sentAt)),
        element("span", { class: `chip ${kind}` }, targetText(meta.channel)),
        element("span", { class: "from" }, meta.from || "backend"),
        element("span", { class: payload.json === undefined ? "payload" : "payload code" }, payloadText(payload)),
      ),
    );
  }

  /** Something that is no message. */
  note(text: string): void {
    this.#add(element("li", { class: "note" }, element("span", { class: "time" }, timeText(new Date())), text));
  }

  #add(item: HTMLLIElement): void {
    const list = this.#list;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(item);
    if (list.childElementCount > maxMessages) list.firstElementChild?.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}
