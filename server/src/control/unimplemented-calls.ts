import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";

/** What needs more than one node. */
export const unimplementedCalls: Pick<ServiceImpl<typeof ControlService>, "rebalance"> = {
  rebalance() {
    throw new FanfareError(ErrorCode.UNIMPLEMENTED, "this version of the server does not implement Rebalance");
  },
};
