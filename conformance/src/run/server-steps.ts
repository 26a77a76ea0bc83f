import type { Step } from "@fanfare/proto/conformance/v1alpha";
import { greet, open, openRefused } from "./connect-steps.ts";
import { control } from "./control-step.ts";
import { expect, expectClose, expectNothing, settle, together } from "./expect-steps.ts";
import { HarnessError } from "./failure.ts";
import { check, elapse, move, order } from "./overall-steps.ts";
import { request, send, sendRaw } from "./send-steps.ts";
import type { ServerCase } from "./server-case.ts";

/** Carries out one step. @throws CaseFailure, HarnessError */
export async function runServerStep(one: ServerCase, step: Step): Promise<void> {
  const { action } = step;
  switch (action.case) {
    case "control":
      return control(one, action.value, step.as);
    case "order":
      return order(one, action.value);
    case "check":
      return check(one, action.value);
    case "together":
      return together(one, action.value);
    case "move":
      return move(one, action.value);
    case "elapse":
      return elapse(one, action.value, step.on === "" ? undefined : one.actor(step.on));
  }
  const actor = one.actor(step.on);
  switch (action.case) {
    case "open":
      return open(one, actor, action.value);
    case "hello":
      return greet(one, actor, action.value, step.as);
    case "join":
      await open(one, actor, action.value.open);
      return greet(one, actor, action.value, step.as);
    case "send":
      return send(one, actor, action.value);
    case "sendRaw":
      return sendRaw(one, actor, action.value);
    case "request":
      return request(one, actor, action.value, step.as);
    case "expect":
      return expect(one, actor, action.value, step.as);
    case "expectClose":
      return expectClose(one, actor, action.value);
    case "expectNothing":
      return expectNothing(one, actor, action.value);
    case "openRefused":
      return openRefused(one, actor, action.value);
    case "close":
      return actor.connection.close(action.value.code);
    case "cut":
      actor.cut();
      return void (await actor.connection.ended);
    case "stall":
      return actor.connection.stall();
    case "unstall":
      return actor.connection.unstall();
    case "settle":
      return void (await settle(one, actor));
    default:
      throw new HarnessError(`${action.case ?? "a step without an action"} is no step of a case for servers`);
  }
}
