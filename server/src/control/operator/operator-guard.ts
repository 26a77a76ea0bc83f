import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { OperatorService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { type Validator, validatorFor } from "@fanfare/proto/validate";
import { FanfareError } from "../../fanfare-error.ts";
import { told } from "../guard.ts";
import { type OperatorNode, operatorKey } from "./operator-context.ts";

const validators = new Map(
  OperatorService.methods.map((method) => [
    method.localName,
    validatorFor(method.input as DescMessage) as Validator<never>,
  ]),
);

/** What stands before every call: an operator's key, and the bounds of the request. All of them are unary. */
export function operatorGuard({ config, log }: Pick<OperatorNode, "config" | "log">): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    const caller = request.contextValues.get(operatorKey);
    const keyId = caller !== undefined && "operator" in caller ? caller.operator : undefined;
    try {
      if (keyId === undefined) throw refusal(config.operatorKeys.length > 0, caller !== undefined, method);
      const violation = request.stream ? undefined : validators.get(method.localName)?.(request.message as never);
      if (violation !== undefined) {
        const { field } = violation;
        throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} ${violation.message}`, { field });
      }
      return await next(request);
    } catch (reason) {
      throw told(log, method, { ...(keyId !== undefined && { keyId }) }, reason);
    }
  };
}

function refusal(hasKeys: boolean, isApp: boolean, { name }: DescMethod): FanfareError {
  if (!hasKeys) {
    const message = `${name} needs an operator key, and none is configured: add one to operator_keys of the configuration and restart`;
    return new FanfareError(ErrorCode.PERMISSION_DENIED, message);
  }
  if (isApp) {
    const message = `${name} needs an operator key, and this is the API key of an app; use one of operator_keys of the configuration`;
    return new FanfareError(ErrorCode.PERMISSION_DENIED, message);
  }
  const message = "no operator key, or one that is not known; send `Authorization: Bearer <key>`";
  return new FanfareError(ErrorCode.UNAUTHENTICATED, message);
}
