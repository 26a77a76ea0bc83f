import { type Client, connect, type StatusEvent, text } from "../index.ts";

/** What the test page offers to the test that drives it. */
export interface TestPage {
  /** Connects as a player. */
  start(url: string, token: string, connectTimeoutMs?: number): Promise<string>;
  client(): Client;
  /** Joins a group and keeps its texts in `received`. */
  join(group: string): Promise<void>;
  publish(group: string, value: string): Promise<number>;
  received: string[];
  gaps: unknown[];
  statuses: StatusEvent[];
  /** Resolves with the next status event of a type, or one that has come after the first `seen`. */
  status(type: StatusEvent["type"], seen?: number): Promise<StatusEvent>;
}

declare global {
  var game: TestPage;
}

let current: Client | undefined;
const waiting = new Set<() => void>();
const received: string[] = [];
const gaps: unknown[] = [];
const statuses: StatusEvent[] = [];

function client(): Client {
  if (current === undefined) throw new Error("not connected");
  return current;
}

globalThis.game = {
  received,
  gaps,
  statuses,
  client,
  async start(url, token, connectTimeoutMs) {
    const onStatus = (event: StatusEvent) => {
      statuses.push(event);
      for (const check of [...waiting]) check();
    };
    current = await connect({ url, getToken: () => token, onStatus, connectTimeoutMs });
    return current.sessionId;
  },
  async join(group) {
    const channel = await client().join(group);
    channel.on(text(), (value) => received.push(value));
    channel.on("gap", (gap) => gaps.push(gap.reason));
  },
  async publish(group, value) {
    return (await client().to({ group }).publish(text(), value)).outcome;
  },
  status(type, seen = 0) {
    return new Promise((resolve) => {
      const check = () => {
        const found = statuses.slice(seen).find((event) => event.type === type);
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  },
};
