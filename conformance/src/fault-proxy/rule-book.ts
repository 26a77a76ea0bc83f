import type { JsonObject } from "@bufbuild/protobuf";
import { matches } from "../run/match.ts";
import type { FaultAction, FaultRule } from "./fault-rule.ts";

/** A rule in force. */
export interface ActiveRule {
  readonly rule: FaultRule;
  lifted: boolean;
}

/** What a rule does to what it was asked about. */
export interface Verdict {
  readonly action: FaultAction;
  readonly by: ActiveRule;
}

/** The rules in force at one proxy, and how often each has matched. */
export class RuleBook {
  #rules: (ActiveRule & { count: number })[] = [];
  readonly #onLift: () => void;

  /** @param onLift called when rules were lifted */
  constructor(onLift: () => void) {
    this.#onLift = onLift;
  }

  add(rules: readonly FaultRule[]): void {
    this.#rules.push(...rules.map((rule) => ({ rule, lifted: false, count: 0 })));
  }

  /** Takes the rules of these names out of force. */
  lift(names: readonly string[]): void {
    for (const one of this.#rules) if (names.includes(one.rule.name)) one.lifted = true;
    this.#rules = this.#rules.filter(({ lifted }) => !lifted);
    if (names.length > 0) this.#onLift();
  }

  /** Whether any rule can act there: if not, nothing need be decoded. */
  concerns(point: FaultRule["point"], connection: number): boolean {
    return this.#rules.some(({ rule }) => isAt(rule, point, connection));
  }

  /** What happens to a frame, or an opening; the first rule that acts decides. */
  judge(point: FaultRule["point"], connection: number, json: JsonObject): Verdict | undefined {
    for (const one of this.#rules) {
      const { rule } = one;
      if (!isAt(rule, point, connection) || !matches(rule.pattern, json)) continue;
      one.count++;
      const isPast = rule.times > 0 && one.count >= rule.nth + rule.times;
      if (one.count >= rule.nth && !isPast) return { action: rule.action, by: one };
    }
    return undefined;
  }
}

function isAt(rule: FaultRule, point: FaultRule["point"], connection: number): boolean {
  return rule.point === point && (rule.connection === 0 || rule.connection === connection);
}
