import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { Scope } from "@fanfare/proto/config/v1";
import { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { type Validator, validatorFor } from "@fanfare/proto/validate";
import type { Caller } from "../auth/api-keys.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { Log } from "../observe/log.ts";
import { callerKey } from "./caller-context.ts";
import { toConnectError } from "./control-error.ts";
import { methodScopes } from "./method-scopes.ts";

interface MethodRule {
  readonly scope: Scope;
  readonly violationOf: Validator<never>;
}

const rules = new Map<string, MethodRule>(
  ControlService.methods.map((method) => [
    method.localName,
    {
      scope: methodScopes[method.localName as keyof typeof methodScopes],
      violationOf: validatorFor(method.input as DescMessage) as Validator<never>,
    },
  ]),
);

/** What a node does also while it is not in its cluster: it concerns that node. */
const ofTheNode: ReadonlySet<string> = new Set(["listNodes", "drain"] satisfies (keyof typeof methodScopes)[]);

/**
 * What stands before every call: the API key, its scope, the bounds of the request, and that the node can reach the others. Behind it, every error
 * becomes a Connect error with its details; faults of the server's own are logged and give nothing away.
 * @param requireMember throws while the node is not in its cluster. Default: it is alone
 */
export function guard(log: Log, requireMember: () => void = () => {}): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    const caller = request.contextValues.get(callerKey);
    try {
      const rule = admit(caller, method);
      if (!ofTheNode.has(method.localName)) requireMember();
      if (!request.stream) {
        check(rule, request.message);
        return await next(request);
      }
      const response = await next({ ...request, message: checked(rule, request.message) });
      if (!response.stream) return response;
      return { ...response, message: translated(response.message, (reason) => told(log, method, caller, reason)) };
    } catch (reason) {
      throw told(log, method, caller, reason);
    }
  };
}

function admit(caller: Caller | undefined, method: DescMethod): MethodRule {
  if (caller === undefined) {
    const message = "no API key, or one that is not known; send `Authorization: Bearer <key>`";
    throw new FanfareError(ErrorCode.UNAUTHENTICATED, message);
  }
  const rule = rules.get(method.localName);
  if (rule === undefined) throw new FanfareError(ErrorCode.UNIMPLEMENTED, `${method.name} is not known here`);
  if (caller.scopes.has(rule.scope)) return rule;
  const message = `the API key "${caller.keyId}" lacks SCOPE_${Scope[rule.scope]}, which ${method.name} needs`;
  throw new FanfareError(ErrorCode.PERMISSION_DENIED, message);
}

function check(rule: MethodRule, message: unknown): void {
  const violation = rule.violationOf(message as never);
  if (violation === undefined) return;
  const { field } = violation;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} ${violation.message}`, { field });
}

async function* checked<T>(rule: MethodRule, messages: AsyncIterable<T>): AsyncIterable<T> {
  for await (const message of messages) {
    check(rule, message);
    yield message;
  }
}

async function* translated<T>(messages: AsyncIterable<T>, told: (reason: unknown) => Error): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (reason) {
    throw told(reason);
  }
}

/**
 * What the caller is told. Connect's own errors, for instance of a stream that was cancelled, stay what they are; faults of the server's own are
 * logged and give nothing away.
 */
export function told(log: Log, method: DescMethod, caller: Partial<Caller> | undefined, reason: unknown): ConnectError {
  if (reason instanceof ConnectError) return reason;
  const error = FanfareError.from(reason);
  const fields = { method: method.name, app: caller?.appId, key: caller?.keyId };
  if (error.code === ErrorCode.INTERNAL) log.error("a control call failed", { ...fields, cause: error.cause });
  else log.debug("a control call was refused", { ...fields, code: ErrorCode[error.code], reason: error.message });
  return toConnectError(error);
}
