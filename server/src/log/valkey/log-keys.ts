import type { LogChannel } from "../message-log.ts";

/** The keys of a channel's log. All that belongs to one channel is in the slot of its tag. */
export interface LogKeys {
  /** What is hashed: `<app>/<channel key>`. */
  readonly tag: string;
  readonly stream: string;
  readonly meta: string;
  /** The nodes that have subscribers, kept by the broker in the same slot. */
  readonly route: string;
}

/** Keys under a prefix, `fanfare` unless configured. App ids have no slash, and names have no braces, so no two channels share a key. */
export function logKeys(prefix: string, { appId, key }: LogChannel): LogKeys {
  const tag = `${appId}/${key}`;
  return { tag, stream: `${prefix}:{${tag}}:log`, meta: `${prefix}:{${tag}}:meta`, route: `${prefix}:{${tag}}:route` };
}

/** The hash of a player's cursors, in the slot of the player's own channel. */
export function cursorsKey(prefix: string, appId: string, playerId: string): { tag: string; key: string } {
  const tag = `${appId}/p:${playerId}`;
  return { tag, key: `${prefix}:{${tag}}:cursors` };
}
