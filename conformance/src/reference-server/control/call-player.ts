import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallPlayerRequest, CallPlayerResponseSchema } from "@fanfare/proto/control/v1";
import { ErrorCode, type Rpc } from "@fanfare/proto/v1";
import type { App } from "../app.ts";
import { Refusal } from "../refusal.ts";

/** The backend calls a player: the session connected last that answers calls. @throws Refusal PLAYER_OFFLINE */
export async function callPlayer(
  app: App,
  { playerId, rpc }: CallPlayerRequest,
): Promise<MessageInitShape<typeof CallPlayerResponseSchema>> {
  const isAble = app.breaks.has("calls-without-the-feature") ? () => true : canAnswer;
  const session = app.sessionsOf(playerId).findLast((one) => one.connection !== undefined && isAble(one.features));
  if (session?.connection === undefined) throw new Refusal(ErrorCode.PLAYER_OFFLINE, "nobody can answer");
  if (app.breaks.has("calls-sent-again")) session.lastCall = rpc as Rpc;
  const result = await session.connection.calls.ask(session.connection, rpc as Rpc);
  return { result, sessionId: session.id };
}

function canAnswer(features: ReadonlySet<string>): boolean {
  return features.has("server_rpc");
}
