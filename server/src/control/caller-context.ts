import { type ContextKey, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Caller } from "../auth/api-keys.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";

/** Who calls, by the API key of the request; undefined: nobody who is known. */
export const callerKey: ContextKey<Caller | undefined> = createContextKey<Caller | undefined>(undefined, {
  description: "the caller of the control API",
});

/** What a call is given that this node makes by itself, in the name of a caller. */
export function contextOf(caller: Caller): HandlerContext {
  return { values: createContextValues().set(callerKey, caller) } as HandlerContext;
}

/** The caller that the guard has let through. @throws FanfareError UNAUTHENTICATED, if there was no guard */
export function callerOf(context: Pick<HandlerContext, "values">): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new FanfareError(ErrorCode.UNAUTHENTICATED, "there is no API key");
  return caller;
}

/** The caller's app. A call sees nothing of another. */
export function appOf(node: ControlNode, context: Pick<HandlerContext, "values">): ControlApp {
  const app = node.apps.get(callerOf(context).appId);
  if (app === undefined) throw new FanfareError(ErrorCode.NOT_FOUND, "the key's app is not served here");
  return app;
}
