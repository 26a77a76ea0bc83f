import { VirtualClock } from "../../testing/virtual-clock.ts";
import { describeLogHistories } from "../log-histories.contract.ts";
import { MemoryCursorStore } from "./memory-cursor-store.ts";
import { MemoryMessageLog } from "./memory-message-log.ts";

const open = async () => {
  const clock = new VirtualClock();
  const log = new MemoryMessageLog({ clock });
  return {
    log,
    cursors: new MemoryCursorStore(clock),
    elapse: async (ms: number) => clock.advance(ms),
    nowMs: () => clock.nowMs(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
};

describeLogHistories("in memory", open, 10_000, true);
