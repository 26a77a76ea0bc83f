import { isDeepStrictEqual } from "node:util";
import type { ChannelRules } from "@fanfare/proto/config/v1";
import { type Channel, ErrorCode } from "@fanfare/proto/v1";
import { type ChannelPolicy, resolveChannelPolicy } from "../config/channel-policy.ts";
import { type ChannelBounds, channelRulesProblem } from "../config/channel-rules.ts";
import type { ResolvedApp } from "../config/resolved-config.ts";
import { FanfareError } from "../fanfare-error.ts";

/** A namespace came, changed or went. */
export interface NamespaceChange {
  readonly name: string;
  /** What held before; undefined: there was no such namespace. */
  readonly former: ChannelPolicy | undefined;
  /** What holds now; undefined: the namespace is gone. */
  readonly policy: ChannelPolicy | undefined;
}

/** Other rules hold for players' channels, or for broadcast. */
export interface OwnRulesChange {
  readonly kind: "player" | "broadcast";
  readonly former: ChannelPolicy;
  readonly policy: ChannelPolicy;
}

/** The most namespaces of an app; one more is refused. */
export const MAX_NAMESPACES = 1000;

/** The namespace of groups without a colon. */
const DEFAULT_NAME = "default";

/** What holds for each channel of one app, now: the app's definition, and above it what was set or removed since. */
export class NamespaceRegistry {
  readonly #policies: Map<string, ChannelPolicy>;
  #app: ResolvedApp;
  readonly #bounds: ChannelBounds;
  /** By name; undefined: removed. */
  readonly #changes = new Map<string, ChannelPolicy | undefined>();
  readonly #listeners = new Set<(change: NamespaceChange) => void>();
  readonly #ownRulesListeners = new Set<(change: OwnRulesChange) => void>();

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

  /** Whether there is such a namespace. */
  has(name: string): boolean {
    return this.#policies.has(name);
  }

  /** Whether the app's definition has it, whatever was put or deleted since. */
  isDefined(name: string): boolean {
    return this.#app.namespaces.has(name);
  }

  /**
   * Whether `put` would create a namespace, or replace one.
   * @throws FanfareError what `put` throws
   */
  check(name: string, rules: ChannelRules | undefined): boolean {
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
    return created;
  }

  /**
   * Creates or replaces a namespace; tells whether it is new. Holds until the process ends.
   * @throws FanfareError INVALID_ARGUMENT if the rules contradict each other, LIMIT_EXCEEDED at 1000 namespaces
   */
  put(name: string, rules: ChannelRules | undefined): boolean {
    const created = this.check(name, rules);
    const policy = resolveChannelPolicy(rules, "group", this.#bounds.maxPayloadBytes);
    const former = this.#policies.get(name) ?? this.#app.fallbackPolicy;
    this.#changes.set(name, policy);
    this.#policies.set(name, policy);
    if (created || !isDeepStrictEqual(former, policy)) this.#tell({ name, former, policy });
    return created;
  }

  /** Takes back what `put` and `delete` have done to a namespace: the definition's holds again. */
  reset(name: string): void {
    if (this.#changes.delete(name)) this.#bringInLine(name);
  }

  /** The app has another definition from now on. What was put or deleted beside the former one stands. */
  redefine(app: ResolvedApp): void {
    const former = this.#app;
    this.#app = app;
    for (const name of new Set([...former.namespaces.keys(), ...app.namespaces.keys()])) {
      if (!this.#changes.has(name)) this.#bringInLine(name);
    }
    for (const kind of ["player", "broadcast"] as const) {
      const change = { kind, former: former[`${kind}Policy`], policy: app[`${kind}Policy`] };
      if (isDeepStrictEqual(change.former, change.policy)) continue;
      for (const listener of this.#ownRulesListeners) listener(change);
    }
  }

  /** Removes a namespace; tells whether it existed. */
  delete(name: string): boolean {
    const former = this.#policies.get(name);
    const existed = this.#policies.delete(name);
    // Remembered only as long as there is something to hide.
    if (this.isDefined(name)) this.#changes.set(name, undefined);
    else this.#changes.delete(name);
    if (existed) this.#tell({ name, former, policy: this.#app.fallbackPolicy });
    return existed;
  }

  /** Calls the listener after each change, until the returned function is called. */
  onChange(listener: (change: NamespaceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls the listener when other rules hold for players' channels or broadcast, until the returned function is called. */
  onOwnRulesChange(listener: (change: OwnRulesChange) => void): () => void {
    this.#ownRulesListeners.add(listener);
    return () => void this.#ownRulesListeners.delete(listener);
  }

  /** Gives a namespace the policy of the definition. */
  #bringInLine(name: string): void {
    const policy = this.#app.namespaces.get(name);
    const former = this.#policies.get(name);
    if (isDeepStrictEqual(former, policy)) return;
    if (policy === undefined) this.#policies.delete(name);
    else this.#policies.set(name, policy);
    this.#tell({ name, former: former ?? this.#app.fallbackPolicy, policy: policy ?? this.#app.fallbackPolicy });
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
