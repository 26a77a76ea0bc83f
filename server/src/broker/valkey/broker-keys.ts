/** A key, and the hash tag in it, which decides on its slot. */
export interface TaggedKey {
  readonly tag: string;
  readonly key: string;
}

/** App ids have no slash and names no braces, so no two things share a key. What belongs to a channel is in the slot of its log. */
export class BrokerKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @param channelKey as {@link ChannelKey} */
  route(appId: string, channelKey: string): TaggedKey {
    return this.#key(`${appId}/${channelKey}`, "route");
  }

  /** What `SCAN` finds routes by. */
  get routePattern(): string {
    return `${this.#prefix}:{*}:route`;
  }

  session(appId: string, sessionId: string): TaggedKey {
    return this.#key(`${appId}/s:${sessionId}`, "session");
  }

  groupsOf(appId: string, playerId: string): TaggedKey {
    return this.#key(`${appId}/p:${playerId}`, "groups");
  }

  membersOf(appId: string, group: string): TaggedKey {
    return this.#key(`${appId}/g:${group}`, "members");
  }

  standing(appId: string, playerId: string): TaggedKey {
    return this.#key(`${appId}/p:${playerId}`, "standing");
  }

  settings(): TaggedKey {
    return this.#key("settings", "settings");
  }

  registry(tag: string): TaggedKey {
    return this.#key(tag, "registry");
  }

  #key(tag: string, what: string): TaggedKey {
    return { tag, key: `${this.#prefix}:{${tag}}:${what}` };
  }
}

/** An incarnation, in keys and values. */
export function hexOf(incarnation: bigint): string {
  return BigInt.asUintN(64, incarnation).toString(16);
}

export function incarnationOf(hex: string): bigint {
  return BigInt(`0x${hex}`);
}
