import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClearChannelRequest, ClearChannelResponseSchema, DeleteMessageRequest } from "@fanfare/proto/control/v1";
import { ErrorCode, type Position } from "@fanfare/proto/v1";
import type { App } from "../app.ts";
import { keyOf, required } from "../channel.ts";
import { Refusal } from "../refusal.ts";

/** Deletes one message of a log. @throws Refusal POSITION_INVALID */
export function deleteMessage(app: App, request: DeleteMessageRequest): Record<string, never> {
  const { log } = app.durable(required(request.channel));
  const position = request.position as Position;
  if (log.verdictOf(position) !== "ok") throw new Refusal(ErrorCode.POSITION_INVALID, "it is not there");
  log.delete(position.offset);
  return {};
}

/** Clears a log, which begins a new epoch. */
export function clearChannel(
  app: App,
  request: ClearChannelRequest,
): MessageInitShape<typeof ClearChannelResponseSchema> {
  const channel = required(request.channel);
  const { log } = app.durable(channel);
  log.clear(app.logs.nextEpoch());
  for (const { reader } of app.channels.get(keyOf(channel)).subscribers.values()) reader?.cleared();
  return { head: log.head };
}
