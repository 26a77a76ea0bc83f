import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";

type UnimplementedCalls = Pick<
  ServiceImpl<typeof ControlService>,
  "getHistory" | "deleteMessage" | "clearChannel" | "rebalance"
>;

/** What needs a log, or more than one node. */
export const unimplementedCalls: UnimplementedCalls = {
  getHistory: () => refuse("GetHistory"),
  deleteMessage: () => refuse("DeleteMessage"),
  clearChannel: () => refuse("ClearChannel"),
  rebalance: () => refuse("Rebalance"),
};

function refuse(method: string): never {
  throw new FanfareError(ErrorCode.UNIMPLEMENTED, `this version of the server does not implement ${method}`);
}
