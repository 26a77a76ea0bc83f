import type { ChannelGap, LogPosition, RosterEvent } from "@fanfare/sdk-core";
import { GapReason, LeaveReason, Outcome } from "@fanfare/sdk-core";

/** Takes what happens in a run, a line each; undefined: nobody reads it, and no line is made. */
export type Trace = ((line: string) => void) | undefined;

/** A message that a player published, and what it was told. */
export interface Published {
  /** Its payload begins with it. */
  readonly id: string;
  /** The run of the client that published it. */
  readonly by: string;
  /** How many sessions that client had had by then. */
  readonly session: number;
  readonly channel: string;
  readonly isVolatile: boolean;
  readonly excludeSelf: boolean;
  /** A newer one of the same key may take its place. */
  readonly conflate: string | undefined;
  readonly beganMs: number;
  answeredMs: number | undefined;
  /** Undefined: not answered, or volatile. */
  outcome: Outcome | undefined;
  /** What went wrong, for people. */
  error: string;
  position: LogPosition | undefined;
  /** Its publisher came back to a session meanwhile, and repeated it. */
  isRepeated: boolean;
}

/** Something that a subscriber was told, in its order. */
export type Received =
  | {
      readonly type: "message";
      readonly atMs: number;
      readonly id: string;
      readonly origin: bigint;
      readonly seq: number;
      readonly isVolatile: boolean;
      readonly position: LogPosition | undefined;
      /** How many sessions its client had had by then. */
      readonly session: number;
    }
  | {
      readonly type: "gap";
      readonly atMs: number;
      readonly reason: string;
      readonly from: LogPosition | undefined;
      readonly to: LogPosition | undefined;
    };

/** Somebody whom a subscriber saw go. */
export interface SeenLeaving {
  readonly atMs: number;
  readonly origin: bigint;
  readonly reason: LeaveReason;
}

/** A player stores how far it has read a log. */
export interface Commit {
  readonly by: string;
  readonly channel: string;
  readonly position: LogPosition;
  readonly beganMs: number;
  /** Undefined: not answered. */
  endedMs: number | undefined;
  /** Undefined: it failed, or is not answered. */
  cursor: LogPosition | undefined;
  /** What went wrong, for people. */
  error: string;
}

/** A log that the backend clears. */
export interface Clear {
  readonly channel: string;
  readonly beganMs: number;
  /** Undefined: it is not known whether it was done. */
  endedMs: number | undefined;
  /** What the log is called from then on. */
  epoch: number | undefined;
}

/** A page of a log that somebody has read. */
export interface ReadPage {
  readonly by: string;
  readonly channel: string;
  readonly isForward: boolean;
  readonly messages: readonly { readonly id: string; readonly position: LogPosition | undefined }[];
  readonly hasMore: boolean;
  readonly head: LogPosition | undefined;
  readonly tail: LogPosition | undefined;
}

/** One client's subscription of one channel, from *opened* to its end, over reconnects. */
export interface Subscriber {
  /** The run of the client. */
  readonly by: string;
  readonly channel: string;
  readonly isDurable: boolean;
  readonly openedMs: number;
  /** Where a durable one began. */
  readonly begin: LogPosition | undefined;
  /** When it was asked for from the player's cursor on; undefined: from elsewhere. */
  readonly askedMs: number | undefined;
  /** Left, or closed by the server or with its client. */
  endedMs: number | undefined;
  /**
   * When its client, connected, had heard anything by then. Whoever goes while it is away, does not read or stands still, or hears at its return that it has
   * gone, gets nothing of what came after, and is told no gap.
   */
  heardMs: number | undefined;
  readonly received: Received[];
  /** Where presence is watched. */
  readonly seenLeaving: SeenLeaving[];
}

/** What clients saw of a run: what they did, and what they were told. */
export class Ledger {
  readonly published = new Map<string, Published>();
  readonly subscribers: Subscriber[] = [];
  readonly commits: Commit[] = [];
  readonly pages: ReadPage[] = [];
  readonly clears: Clear[] = [];
  /** Pages that somebody could not read. */
  readonly refusedPages: { readonly by: string; readonly channel: string; readonly error: string }[] = [];
  /** Which run of a client each session is of, by its origin. */
  readonly runs = new Map<bigint, string>();
  /** When the client of each session, by its origin, was welcomed to it: at its beginning, and at each return. */
  readonly welcomesMs = new Map<bigint, number[]>();
  /** What went wrong at once, as against what is found at the end. */
  readonly faults: string[] = [];
  readonly #nowMs: () => number;
  readonly #trace: Trace;

  constructor(nowMs: () => number, trace: Trace) {
    this.#nowMs = nowMs;
    this.#trace = trace;
  }

  began(
    publish: Omit<Published, "beganMs" | "answeredMs" | "outcome" | "error" | "position" | "isRepeated">,
  ): Published {
    const entry: Published = {
      ...publish,
      beganMs: this.#nowMs(),
      answeredMs: undefined,
      outcome: undefined,
      error: "",
      position: undefined,
      isRepeated: false,
    };
    this.published.set(entry.id, entry);
    this.#trace?.(`${entry.by} publishes ${entry.id} to ${entry.channel}${entry.isVolatile ? ", volatile" : ""}`);
    return entry;
  }

  /** Whoever published is told what became of it. */
  answered(
    entry: Published,
    { outcome, error, position }: Pick<Published, "error"> & { outcome: Outcome; position?: LogPosition | undefined },
  ): void {
    entry.answeredMs = this.#nowMs();
    entry.outcome = outcome;
    entry.error = error;
    entry.position = position;
    const why = error === "" ? "" : ` (${error})`;
    this.#trace?.(`${entry.by} hears that ${entry.id} is ${Outcome[outcome]}${why}`);
  }

  /** The client of a run is connected, in this session. */
  welcomed(by: string, origin: bigint): void {
    this.runs.set(origin, by);
    this.welcomesMs.set(origin, [...(this.welcomesMs.get(origin) ?? []), this.#nowMs()]);
  }

  /** A client has come back to its session: it repeats what is not answered. */
  resumed(by: string): void {
    for (const entry of this.published.values()) {
      if (entry.by === by && !entry.isVolatile && entry.answeredMs === undefined) entry.isRepeated = true;
    }
  }

  opened(by: string, channel: string, begin: LogPosition | undefined, askedMs?: number): Subscriber {
    const entry: Subscriber = {
      by,
      channel,
      isDurable: begin !== undefined,
      openedMs: this.#nowMs(),
      begin,
      askedMs,
      endedMs: undefined,
      heardMs: undefined,
      received: [],
      seenLeaving: [],
    };
    this.subscribers.push(entry);
    this.#trace?.(`${by} has opened ${channel}${begin === undefined ? "" : ` at ${placeOf(begin)}`}`);
    return entry;
  }

  ended(subscriber: Subscriber, why: string, heardMs: number, atMs: number = this.#nowMs()): void {
    if (subscriber.endedMs !== undefined) return;
    subscriber.endedMs = atMs;
    subscriber.heardMs = heardMs;
    this.#trace?.(`${subscriber.by} has ${subscriber.channel} no more: ${why}`);
  }

  message(subscriber: Subscriber, message: Omit<Extract<Received, { type: "message" }>, "type" | "atMs">): void {
    subscriber.received.push({ type: "message", atMs: this.#nowMs(), ...message });
    const { id, position } = message;
    this.#trace?.(`${subscriber.by} gets ${id} in ${subscriber.channel}${position ? ` at ${placeOf(position)}` : ""}`);
  }

  committing(by: string, channel: string, position: LogPosition): Commit {
    const of = { by, channel, position, beganMs: this.#nowMs() };
    const entry: Commit = { ...of, endedMs: undefined, cursor: undefined, error: "" };
    this.commits.push(entry);
    this.#trace?.(`${by} commits ${placeOf(position)} of ${channel}`);
    return entry;
  }

  committed(entry: Commit, result: { readonly cursor: LogPosition } | { readonly error: string }): void {
    entry.endedMs = this.#nowMs();
    Object.assign(entry, result);
    const how =
      "cursor" in result ? `is told that ${placeOf(result.cursor)} is its cursor` : `has no cursor: ${result.error}`;
    this.#trace?.(`${entry.by} ${how}, of ${entry.channel}`);
  }

  clearing(channel: string): Clear {
    const entry: Clear = { channel, beganMs: this.#nowMs(), endedMs: undefined, epoch: undefined };
    this.clears.push(entry);
    return entry;
  }

  cleared(entry: Clear, epoch: number): void {
    entry.endedMs = this.#nowMs();
    entry.epoch = epoch;
    this.#trace?.(`${entry.channel} is cleared, and at ${placeOf({ epoch, offset: 0, tag: 0 })}`);
  }

  read(page: ReadPage): void {
    this.pages.push(page);
    const { by, channel, messages } = page;
    const places = messages.map(({ id, position }) => `${id} at ${position && placeOf(position)}`);
    this.#trace?.(`${by} reads ${page.isForward ? "on" : "back"} in ${channel}: ${places.join(", ")}`);
  }

  refusedPage(by: string, channel: string, error: string): void {
    this.refusedPages.push({ by, channel, error });
    this.#trace?.(`${by} could not read ${channel}: ${error}`);
  }

  gap(subscriber: Subscriber, { reason, from, to }: ChannelGap): void {
    const name = reason === "overflow" ? reason : (GapReason[reason] ?? `${reason}`);
    subscriber.received.push({ type: "gap", atMs: this.#nowMs(), reason: name, from, to });
    const places = from && to ? ` from ${placeOf(from)} to ${placeOf(to)}` : "";
    this.#trace?.(`${subscriber.by} is told a gap in ${subscriber.channel}: ${name}${places}`);
  }

  roster(subscriber: Subscriber, event: RosterEvent): void {
    const { by, channel, seenLeaving } = subscriber;
    if (event.type === "left") {
      seenLeaving.push({ atMs: this.#nowMs(), origin: event.member.origin, reason: event.reason });
    }
    if (this.#trace === undefined || !("member" in event)) return;
    const { playerId, origin, data } = event.member;
    const who = this.runs.get(origin) ?? `${playerId}, ${origin.toString(16)}`;
    const how = event.type === "left" ? ` (${LeaveReason[event.reason]})` : ` with ${JSON.stringify(data)}`;
    this.#trace(`${by} sees in ${channel} that ${who} has ${event.type}${how}`);
  }

  fault(text: string): void {
    this.faults.push(text);
    this.#trace?.(`FAULT: ${text}`);
  }
}

/** The player of a run of a client. */
export function playerOf(run: string): string {
  return run.slice(0, run.indexOf("#"));
}

/** A position, for people. */
export function placeOf({ epoch, offset, tag }: LogPosition): string {
  return `${epoch % 1_000_000_000}/${offset}-${tag.toString(16)}`;
}
