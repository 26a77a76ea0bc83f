import { CloseCode } from "@fanfare/proto/v1";

/**
 * What a node counts. The hot path adds to plain numbers, and a scrape reads them, so that counting costs an addition. Only
 * observe and tests read them.
 *
 * Fields of the first group grow and never shrink; those of the second say what is the case now.
 */
export class Counters {
  /** WebSocket messages from clients. */
  framesInMessages = 0;
  /** Frames in them. */
  framesIn = 0;
  /** Bytes of WebSocket messages from clients. */
  bytesIn = 0;
  /** Bytes written to clients' sockets. */
  bytesOut = 0;
  /** Writes to clients' sockets; bytes and deliveries by it show how well writes are joined. */
  writes = 0;
  /** Frames without an id whose kind is not known. */
  framesIgnored = 0;

  /** Publishes accepted from clients and the control API, by class. */
  messagesInVolatile = 0;
  messagesInLive = 0;
  messagesInDurable = 0;
  /** Publishes recognised as repeats. */
  messagesRepeated = 0;
  /** Message frames put into send queues. */
  messagesDelivered = 0;
  /** Volatile messages thrown away because a receiver was slow. */
  messagesDropped = 0;
  /** Volatile messages that a newer one of their key replaced unsent. */
  messagesConflated = 0;
  /** Messages thrown away unsent because their time to live had passed. */
  messagesExpired = 0;
  /** Results of publishes, indexed by `Outcome`. */
  readonly publishesByOutcome: number[] = new Array<number>(6).fill(0);
  /** Error replies and `error` frames, indexed by `ErrorCode`. */
  readonly errorsByCode: number[] = new Array<number>(64).fill(0);

  /** TCP connections closed as they came, because a listener had too many. */
  socketsDropped = 0;
  /** Upgrades that were accepted. */
  upgrades = 0;
  /** Hellos answered with `welcome`: of a new session, of one that goes on, and of one that was handed over. */
  handshakesNew = 0;
  handshakesResumed = 0;
  handshakesHandedOver = 0;
  /** Connections closed before `welcome`. */
  handshakesRefused = 0;
  readonly #closes = new Map<number, number>();

  /** Open WebSockets. */
  connections = 0;
  /** Of them, those that have not been welcomed yet. */
  unauthenticated = 0;
  /** Sessions, connected or within their window. */
  sessions = 0;
  /** Of them, those without a connection. */
  sessionsDetached = 0;
  /** Subscriptions of sessions. */
  subscriptions = 0;
  /** Bytes in all send queues. */
  sendQueueBytes = 0;

  /** Counts a connection that ended with this close code. Codes that mean nothing here are counted together, as 0. */
  closed(code: number): void {
    const known = (code >= 1000 && code <= 1015) || CloseCode[code] !== undefined;
    const key = known ? code : 0;
    this.#closes.set(key, (this.#closes.get(key) ?? 0) + 1);
  }

  /** How many connections ended with each close code. */
  get closesByCode(): ReadonlyMap<number, number> {
    return this.#closes;
  }
}
