import type { Breaks } from "../../mutants/mutants.ts";
import type { Session } from "../session.ts";
import { ChannelLog, type Place } from "./channel-log.ts";

type Retention = ConstructorParameters<typeof ChannelLog>[1];

/** The logs of an app's durable channels, and how far its players have read. Kept as long as the server runs, which is one conformance run. */
export class LogTable {
  readonly #breaks: Breaks;
  readonly #logs = new Map<string, ChannelLog>();
  readonly #cursors = new Map<string, Place>();
  #lastEpoch = BigInt(Date.now());

  constructor(breaks: Breaks) {
    this.#breaks = breaks;
  }

  open(key: string, retention: Retention): ChannelLog {
    const log = this.#logs.get(key) ?? new ChannelLog(this.nextEpoch(), retention, this.#breaks);
    this.#logs.set(key, log);
    return log;
  }

  nextEpoch(): bigint {
    return ++this.#lastEpoch;
  }

  cursorOf(key: string, session: Session): Place | undefined {
    return this.#cursors.get(this.#cursorKey(key, session));
  }

  /** Moves a cursor, only forward within an epoch, and returns where it stands then. */
  commit(key: string, session: Session, { epoch, offset, tag }: Place): Place {
    const known = this.cursorOf(key, session);
    const isBack = known !== undefined && known.epoch === epoch && known.offset >= offset;
    if (isBack && !this.#breaks.has("cursor-goes-back")) return known;
    const cursor = { epoch, offset, tag };
    if (!this.#breaks.has("cursor-forgotten")) this.#cursors.set(this.#cursorKey(key, session), cursor);
    return cursor;
  }

  #cursorKey(key: string, { player, id }: Session): string {
    return `${this.#breaks.has("cursor-of-the-session") ? id : player} ${key}`;
  }
}
