import type { Channel, PresenceMember } from "@fanfare/sdk-browser";
import { button, element, labelled } from "./element.ts";

/** What the list asks of its player. */
export interface GroupActions {
  join(group: string): void;
  leave(group: string): void;
}

interface Row {
  readonly root: HTMLElement;
  readonly stop: () => void;
}

/** The groups of a player, with who is there. */
export class GroupList {
  readonly root: HTMLElement;
  readonly #actions: GroupActions;
  readonly #rows = new Map<string, Row>();
  readonly #list = element("ul", { class: "groups" });
  readonly #input = element("input", {
    value: "lobby",
    required: true,
    maxlength: 255,
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #join = element("button", { type: "submit" }, "Join");

  constructor(label: string, actions: GroupActions) {
    this.#actions = actions;
    this.#list.setAttribute("aria-label", label);
    const form = element("form", { class: "row" }, labelled("Group", this.#input, "grow"), this.#join);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.join(this.#input.value.trim());
      this.#input.select();
    });
    this.root = element("div", { class: "group-list" }, form, this.#list);
    this.enabled = false;
  }

  /** Whether groups can be joined. */
  set enabled(enabled: boolean) {
    this.#join.disabled = !enabled;
  }

  /** Names of the groups that are shown. */
  get names(): readonly string[] {
    return [...this.#rows.keys()];
  }

  /** Shows a group until `remove`. */
  add(group: string, channel: Channel, ownOrigin: () => bigint): void {
    this.remove(group);
    const members = element("ul", { class: "members", "aria-label": `Present in ${group}` });
    const count = element("span", { class: "muted" });
    const show = () => {
      const { roster } = channel;
      count.textContent = roster.complete ? countText(roster.players, roster.sessions) : "…";
      members.replaceChildren(...memberItems([...roster], ownOrigin()));
    };
    const leave = button("Leave", () => this.#actions.leave(group), { class: "quiet", "aria-label": `Leave ${group}` });
    const head = element("div", { class: "group-head" }, element("span", { class: "chip group" }, group), count, leave);
    const root = element("li", {}, head, members);
    this.#rows.set(group, { root, stop: channel.roster.on("change", show) });
    this.#list.append(root);
    show();
  }

  remove(group: string): void {
    const row = this.#rows.get(group);
    row?.stop();
    row?.root.remove();
    this.#rows.delete(group);
  }

  clear(): void {
    for (const group of this.names) this.remove(group);
  }
}

function countText(players: number, sessions: number): string {
  const text = `${players} ${players === 1 ? "player" : "players"}`;
  return sessions === players ? text : `${text}, ${sessions} sessions`;
}

/** One item a player, with the number of their sessions. */
function memberItems(members: readonly PresenceMember[], ownOrigin: bigint): HTMLElement[] {
  const players = Object.groupBy(members, ({ playerId }) => playerId);
  return Object.entries(players)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([player, sessions = []]) => {
      const isOwn = sessions.some(({ origin }) => origin === ownOrigin);
      const text = sessions.length === 1 ? player : `${player} ×${sessions.length}`;
      return element("li", { class: isOwn ? "member own" : "member" }, text, isOwn ? element("small", {}, " you") : "");
    });
}
