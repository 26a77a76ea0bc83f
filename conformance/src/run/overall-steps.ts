import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Check, Elapse, Move, Order } from "@fanfare/proto/conformance/v1alpha";
import type { ActorState } from "./actor.ts";
import type { CaseState } from "./case-state.ts";
import { CaseFailure, HarnessError } from "./failure.ts";
import { mismatch } from "./match.ts";
import type { ServerCase } from "./server-case.ts";

/** Lets time pass. */
export async function elapse(one: ServerCase, { lasting }: Elapse, actor: ActorState | undefined): Promise<void> {
  const ms = one.spanMs(lasting, actor);
  one.trace.note("", `${Math.round(ms)} ms pass`);
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Has the server send its clients away. */
export async function move(one: CaseState, { windowMs, deadlineMs }: Move): Promise<void> {
  if (one.server.move === undefined) throw new HarnessError("the target cannot move clients");
  one.trace.note("", "the server moves its clients");
  await one.server.move({ windowMs, deadlineMs });
}

/** Compares what was kept. */
export function check(one: CaseState, { value, pattern }: Check): void {
  const seen = one.fill(toJsonValue(value));
  const problem = mismatch(one.fill(toJsonValue(pattern)), seen, "the value");
  if (problem !== undefined) throw new CaseFailure(problem);
}

function toJsonValue(value: Value | undefined): JsonValue {
  return value === undefined ? null : toJson(ValueSchema, value);
}

/** Holds the order in which labelled frames came. */
export function order(one: CaseState, { labels }: Order): void {
  for (const [i, name] of labels.slice(1).entries()) {
    const before = labels[i] ?? "";
    if (one.labelled(before).order >= one.labelled(name).order) throw new CaseFailure(`${name} came before ${before}`);
  }
}
