import { json, type Payload, type Target, text } from "@fanfare/sdk-browser";
import { element, labelled } from "./element.ts";

/** A message that was written. */
export interface Draft {
  readonly target: Target;
  readonly payload: Payload;
  readonly volatile: boolean;
  readonly excludeSelf: boolean;
}

/** What became of a message, for the line under the form. */
export interface Delivery {
  readonly text: string;
  readonly isFailure: boolean;
}

/** The form that sends: to whom, as what, and what became of the last one. */
export class Composer {
  readonly root: HTMLElement;
  readonly #to = element(
    "select",
    {},
    option("group", "Group"),
    option("player", "Player"),
    option("broadcast", "Everybody"),
  );
  readonly #name = element("input", { maxlength: 255, autocomplete: "off", spellcheck: "false" });
  readonly #nameField = labelled("Name", this.#name, "grow");
  readonly #as = element("select", {}, option("text", "Text"), option("json", "JSON"));
  readonly #message = element("textarea", {
    rows: 2,
    placeholder: "Enter sends, Shift+Enter breaks the line",
    spellcheck: "false",
  });
  readonly #volatile = element("input", { type: "checkbox" });
  readonly #excludeSelf = element("input", { type: "checkbox" });
  readonly #send = element("button", { type: "submit", class: "primary" }, "Send");
  readonly #delivery = element("p", { class: "delivery", role: "status" });
  /** Names last used, by kind of target. */
  readonly #names: Record<string, string>;
  readonly #onSend: (draft: Draft) => void;

  constructor(otherPlayer: string, onSend: (draft: Draft) => void) {
    this.#onSend = onSend;
    this.#names = { group: "lobby", player: otherPlayer };
    this.#name.value = "lobby";
    let before = this.#to.value;
    this.#to.addEventListener("change", () => {
      this.#names[before] = this.#name.value;
      before = this.#to.value;
      this.#name.value = this.#names[before] ?? "";
      this.#nameField.hidden = before === "broadcast";
    });
    this.#message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    const form = element(
      "form",
      { class: "composer" },
      element("div", { class: "row" }, labelled("To", this.#to), this.#nameField, labelled("As", this.#as)),
      labelled("Message", this.#message),
      element(
        "div",
        { class: "row end" },
        element("label", { class: "check", title: "may be dropped; nobody is told" }, this.#volatile, "Volatile"),
        element("label", { class: "check", title: "this session does not receive it" }, this.#excludeSelf, "Not to me"),
        this.#send,
      ),
      this.#delivery,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.root = form;
    this.enabled = false;
  }

  /** Whether messages can be sent. */
  set enabled(enabled: boolean) {
    this.#send.disabled = !enabled;
  }

  /** Says what became of the last message. */
  set delivery({ text: words, isFailure }: Delivery) {
    this.#delivery.textContent = words;
    this.#delivery.classList.toggle("failure", isFailure);
  }

  #submit(): void {
    if (this.#send.disabled) return;
    const written = this.#message.value;
    try {
      const payload =
        this.#as.value === "json" ? json().encode(JSON.parse(written) as unknown) : text().encode(written);
      this.#onSend({
        target: this.#target(),
        payload,
        volatile: this.#volatile.checked,
        excludeSelf: this.#excludeSelf.checked,
      });
      this.#message.value = "";
    } catch (error) {
      this.delivery = { text: `Not sent: ${error instanceof Error ? error.message : String(error)}`, isFailure: true };
    }
    this.#message.focus();
  }

  #target(): Target {
    const name = this.#name.value.trim();
    if (this.#to.value === "broadcast") return "broadcast";
    return this.#to.value === "player" ? { player: name } : { group: name };
  }
}

function option(value: string, label: string): HTMLOptionElement {
  return element("option", { value }, label);
}
