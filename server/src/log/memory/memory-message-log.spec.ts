import { VirtualClock } from "../../testing/virtual-clock.ts";
import { describeMessageLog } from "../message-log.contract.ts";
import { MemoryCursorStore } from "./memory-cursor-store.ts";
import { MemoryMessageLog } from "./memory-message-log.ts";

describeMessageLog("in memory", async () => {
  const clock = new VirtualClock();
  const log = new MemoryMessageLog({ clock });
  return {
    log,
    cursors: new MemoryCursorStore(clock),
    elapse: async (ms) => clock.advance(ms),
    nowMs: () => clock.nowMs(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
});
