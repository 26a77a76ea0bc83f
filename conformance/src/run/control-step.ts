import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ControlCall } from "@fanfare/proto/conformance/v1alpha";
import type { ControlAnswer } from "../target/control-client.ts";
import type { ControlCalls } from "../target/environment.ts";
import { fixtureApps } from "../target/fixtures.ts";
import type { CaseState } from "./case-state.ts";
import { CaseFailure, HarnessError } from "./failure.ts";
import { mismatch, shown } from "./match.ts";

/** Calls the control API, or takes the answer of a call that is pending. */
export async function control(one: CaseState, call: ControlCall, label: string): Promise<void> {
  if (call.await !== "") {
    const pending = one.pendingCalls.get(call.await);
    if (pending === undefined) throw new HarnessError(`no call is pending as ${call.await}`);
    return judge(one, call, await inTime(pending, one.patienceMs), label);
  }
  const { control: api } = one.server;
  if (api === undefined) throw new HarnessError("the target has no control API");
  for (let n = 1; n < (call.times || 1); n++) await judge(one, call, await begin(one, api, call, n), label);
  const answer = begin(one, api, call, call.times || 1);
  if (!call.pending) return judge(one, call, await answer, label);
  answer.catch(() => {}); // told when it is awaited
  one.pendingCalls.set(label, answer);
}

/** @throws CaseFailure when a call that was begun before is not answered in time */
async function inTime(pending: Promise<ControlAnswer>, withinMs: number): Promise<ControlAnswer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new CaseFailure(`the control API has not answered in ${withinMs} ms`)),
    withinMs,
  );
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

function judge(
  one: CaseState,
  call: ControlCall,
  { error, body }: { error: string; body: JsonObject },
  label: string,
): void {
  one.trace.note("", `control answered ${error} ${JSON.stringify(body)}`);
  if (error !== call.error) {
    throw new CaseFailure(`the control API answered ${error || "without an error"} ${shown(body)}`);
  }
  const problem = mismatch(one.fill(call.response ?? {}), body, "response");
  if (problem !== undefined) throw new CaseFailure(problem);
  one.label(label, body);
}

function begin(one: CaseState, api: ControlCalls, call: ControlCall, n: number): Promise<ControlAnswer> {
  const request = one.fill(expanded(call.request ?? {}) as JsonObject, undefined, n);
  one.trace.note("", `control ${call.method} ${JSON.stringify(request)}`);
  return api.call(call.method, request, call.app || fixtureApps[0], one.ending.signal);
}

/** Writes out the items of lists that are given with a number of times. */
function expanded(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.flatMap((one) => repeated(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expanded(one)]));
}

function repeated(one: JsonValue): JsonValue[] {
  if (typeof one !== "object" || one === null || Array.isArray(one)) return [expanded(one)];
  const { $times: times, item } = one;
  if (times === undefined || item === undefined) return [expanded(one)];
  return Array.from({ length: Number(times) }, () => expanded(item));
}
