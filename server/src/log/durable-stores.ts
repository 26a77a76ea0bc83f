import type { CursorStore } from "./cursor-store.ts";
import type { MessageLog } from "./message-log.ts";

/** Where durable channels are kept. */
export interface DurableStores {
  readonly messageLog: MessageLog;
  readonly cursorStore: CursorStore;
}
