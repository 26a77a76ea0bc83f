import type { ChannelRules } from "@fanfare/proto/config/v1";
import { type Channel, ErrorCode } from "@fanfare/proto/v1";
import { type ChannelPolicy, resolveChannelPolicy } from "../config/channel-policy.ts";
import { type ChannelBounds, channelRulesProblem } from "../config/channel-rules.ts";
import type { ResolvedApp } from "../config/resolved-config.ts";
import { FanfareError } from "../fanfare-error.ts";

/** A namespace came, changed or went. */
export interface NamespaceChange {
  readonly name: string;
  /** What holds now; undefined: the namespace is gone. */
  readonly policy: ChannelPolicy | undefined;
}

/** The most namespaces of an app; one more is refused. */
export const MAX_NAMESPACES = 1000;

/** The namespace of groups without a colon. */
const DEFAULT_NAME = "default";

/** What holds for each channel of one app, now. */
export class NamespaceRegistry {
  readonly #policies: Map<string, ChannelPolicy>;
  readonly #app: ResolvedApp;
  readonly #bounds: ChannelBounds;
  readonly #listeners = new Set<(change: NamespaceChange) => void>();

  /** @param bounds the node's, which no namespace exceeds */
  constructor(app: ResolvedApp, bounds: ChannelBounds) {
    this.#app = app;
    this.#policies = new Map(app.namespaces);
    this.#bounds = bounds;
  }

  /** The policy of a channel; undefined if it is a group whose namespace does not exist. */
  policyFor(channel: Channel): ChannelPolicy | undefined {
    switch (channel.kind.case) {
      case "group":
        return this.policyForGroup(channel.kind.value);
      case "player":
        return this.#app.playerPolicy;
      case "broadcast":
        return this.#app.broadcastPolicy;
      default:
        return undefined;
    }
  }

  /** The policy of a group; undefined if its namespace does not exist. */
  policyForGroup(group: string): ChannelPolicy | undefined {
    return this.#policies.get(namespaceOf(group)) ?? this.#app.fallbackPolicy;
  }

  /** All namespaces, in the order of their names. */
  list(): readonly (readonly [name: string, policy: ChannelPolicy])[] {
    return [...this.#policies].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /**
   * Creates or replaces a namespace; tells whether it is new. Holds until the process ends.
   * @throws FanfareError INVALID_ARGUMENT if the rules contradict each other, LIMIT_EXCEEDED at 1000 namespaces
   */
  put(name: string, rules: ChannelRules | undefined): boolean {
    const problem = channelRulesProblem(rules, "group", this.#bounds);
    if (problem !== undefined) {
      throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${problem.problem}: ${problem.remedy}`, {
        field: `namespace.rules.${problem.field}`,
      });
    }
    const created = !this.#policies.has(name);
    if (created && this.#policies.size >= MAX_NAMESPACES) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `the app has ${MAX_NAMESPACES} namespaces; delete one first`);
    }
    const policy = resolveChannelPolicy(rules, "group", this.#bounds.maxPayloadBytes);
    this.#policies.set(name, policy);
    this.#tell({ name, policy });
    return created;
  }

  /** Removes a namespace; tells whether it existed. */
  delete(name: string): boolean {
    const existed = this.#policies.delete(name);
    if (existed) this.#tell({ name, policy: this.#app.fallbackPolicy });
    return existed;
  }

  /** Calls the listener after each change, until the returned function is called. */
  onChange(listener: (change: NamespaceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(change: NamespaceChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** The namespace of a group: what stands before the first colon, `default` without a colon. */
export function namespaceOf(group: string): string {
  const colon = group.indexOf(":");
  return colon < 0 ? DEFAULT_NAME : group.slice(0, colon);
}
