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
import type { ControlNode } from "./control-context.ts";
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

/** What concerns the clients of all apps, and who may do it where these are of several tenants: an operator alone. */
const ofAllApps: ReadonlySet<string> = new Set(["drain", "rebalance"] satisfies (keyof typeof methodScopes)[]);
/** What an operator's key is good for here. The rest is of an app. */
const ofOperators: ReadonlySet<string> = new Set([...ofAllApps, "listNodes"]);

/**
 * What stands before every call: the API key, its scope, the bounds of the request, and that the node can reach the others. Behind it, every error
 * becomes a Connect error with its details; faults of the server's own are logged and give nothing away.
 */
export function guard({ log, cluster, appTable }: Pick<ControlNode, "log" | "cluster" | "appTable">): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    const caller = request.contextValues.get(callerKey);
    try {
      const rule = admit(caller, method, appTable);
      if (!ofTheNode.has(method.localName)) cluster?.requireMember();
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

function admit(caller: Caller | undefined, method: DescMethod, { areTenants }: ControlNode["appTable"]): MethodRule {
  if (caller === undefined) {
    const message = "no API key, or one that is not known; send `Authorization: Bearer <key>`";
    throw new FanfareError(ErrorCode.UNAUTHENTICATED, message);
  }
  const rule = rules.get(method.localName);
  if (rule === undefined) throw new FanfareError(ErrorCode.UNIMPLEMENTED, `${method.name} is not known here`);
  const problem = caller.appId === "" ? problemOfOperator(method) : problemOfApp(caller, method, rule, areTenants);
  if (problem === undefined) return rule;
  throw new FanfareError(ErrorCode.PERMISSION_DENIED, problem);
}

function problemOfOperator({ localName, name }: DescMethod): string | undefined {
  if (ofOperators.has(localName)) return undefined;
  return `${name} needs the API key of an app, and this is an operator key, which is of none`;
}

function problemOfApp(
  { keyId, scopes }: Caller,
  { localName, name }: DescMethod,
  { scope }: MethodRule,
  areTenants: boolean,
): string | undefined {
  if (!scopes.has(scope)) return `the API key "${keyId}" lacks SCOPE_${Scope[scope]}, which ${name} needs`;
  if (!areTenants || !ofAllApps.has(localName)) return undefined;
  return `${name} concerns all who are connected, and this is the API key of an app; use one of operator_keys of the configuration`;
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
  const fields = { method: method.name, app: caller?.appId || undefined, key: caller?.keyId };
  if (error.code === ErrorCode.INTERNAL) log.error("a control call failed", { ...fields, cause: error.cause });
  else log.debug("a control call was refused", { ...fields, code: ErrorCode[error.code], reason: error.message });
  return toConnectError(error);
}
