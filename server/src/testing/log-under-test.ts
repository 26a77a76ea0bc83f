import { Acknowledgement } from "@fanfare/proto/config/v1";
import { SkipReason } from "@fanfare/proto/v1";
import type { CursorStore } from "../log/cursor-store.ts";
import type { LogPosition } from "../log/log-position.ts";
import type {
  AppendRequest,
  LogChannel,
  LogItem,
  LogPolicy,
  MessageLog,
  ReadRequest,
  ReadResult,
  StoredAppend,
} from "../log/message-log.ts";

/** A log to hold against the contract. */
export interface LogUnderTest extends AsyncDisposable {
  readonly log: MessageLog;
  readonly cursors: CursorStore;
  /** Lets so much time pass for the log: a virtual clock is moved, a real one waited for. */
  elapse(ms: number): Promise<void>;
  nowMs(): number;
}

const retention = { maxMessages: 1000, maxBytes: 8 * 1024 * 1024, maxAgeS: 3600 };

/** A policy with some of its retention replaced. */
export function policyWith(changes: Partial<LogPolicy["retention"]> = {}): LogPolicy {
  return { retention: { ...retention, ...changes }, acknowledgement: Acknowledgement.REPLICA };
}

let channelsMade = 0;

/** A channel that no test has used. */
export function newChannel(appId = "game"): LogChannel {
  return { appId, key: `g:chat:${++channelsMade}` };
}

/** An append to a channel, with what is not given filled in. */
export function appendOf(channel: LogChannel, seq: number, changes: Partial<AppendRequest> = {}): AppendRequest {
  return {
    channel,
    policy: policyWith(),
    origin: 0xfedc_ba98_7654_3210n,
    seq,
    idempotencyKey: "",
    body: Buffer.from(`message ${seq}`),
    expiresAtMs: 0,
    excludeSelf: false,
    ...changes,
  };
}

/** Appends and demands that it is stored. */
export async function stored(log: MessageLog, request: AppendRequest): Promise<StoredAppend> {
  const result = await log.append(request);
  if (result.outcome !== "stored") throw new Error(`not stored: ${result.reason}`);
  return result;
}

/** Reads with what is not given filled in, and demands a page. */
export async function page(log: MessageLog, channel: LogChannel, changes: Partial<ReadRequest> = {}) {
  const result = await readOf(log, channel, changes);
  if (result.verdict !== "ok") throw new Error(`no page: ${result.verdict}`);
  return result;
}

/** Reads with what is not given filled in. */
export function readOf(log: MessageLog, channel: LogChannel, changes: Partial<ReadRequest> = {}): Promise<ReadResult> {
  const defaults = { channel, policy: policyWith(), direction: "forward", from: undefined } as const;
  return log.read({ ...defaults, limit: 1000, maxBytes: 1 << 24, ...changes });
}

/** Offsets of items: `3` of a message, `4-6` of a skip. */
export function outline(items: readonly LogItem[]): string {
  return items
    .map((item) =>
      item.kind === "message"
        ? `${item.offset}`
        : `${item.fromOffset}-${item.toOffset}${item.reason === SkipReason.EXPIRED ? "x" : "d"}`,
    )
    .join(" ");
}

/** Appends so many messages of one origin, all at once. @returns their positions */
export async function filled(
  log: MessageLog,
  channel: LogChannel,
  count: number,
  changes: Partial<AppendRequest> = {},
): Promise<LogPosition[]> {
  const appends = Array.from({ length: count }, (_, i) => stored(log, appendOf(channel, i + 1, changes)));
  return (await Promise.all(appends)).map(({ position }) => position);
}
