import {
  create,
  type DescMessage,
  fromJson,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import * as control from "@fanfare/proto/control/v1";
import { errorPolicy } from "@fanfare/proto/policy";
import type { ControlAnswer } from "../../target/control-client.ts";
import type { ControlCalls } from "../../target/environment.ts";
import type { App } from "../app.ts";
import { Refusal } from "../refusal.ts";
import type { ReferenceServer } from "../server.ts";
import { publishAll } from "./backend-publish.ts";
import { callPlayer } from "./call-player.ts";
import { clearChannel, deleteMessage } from "./log-calls.ts";
import { ban, disconnect, revokeTokens, unban } from "./player-calls.ts";
import { deleteNamespace, drain, joinGroup, leaveGroup, listNamespaces, putNamespace } from "./standing-calls.ts";

type Call = (server: ReferenceServer, app: App, request: JsonObject) => Promise<JsonObject>;

function call<Request extends DescMessage, Response extends DescMessage>(
  requestSchema: Request,
  responseSchema: Response,
  handle: (
    app: App,
    request: MessageShape<Request>,
    server: ReferenceServer,
  ) => MessageInitShape<Response> | Promise<MessageInitShape<Response>>,
): Call {
  return async (server, app, json) => {
    const response = await handle(app, fromJson(requestSchema, json), server);
    return toJson(responseSchema, create(responseSchema, response)) as JsonObject;
  };
}

const calls: Readonly<Record<string, Call>> = {
  Publish: call(control.PublishRequestSchema, control.PublishResponseSchema, publishAll),
  JoinGroup: call(control.JoinGroupRequestSchema, control.JoinGroupResponseSchema, joinGroup),
  LeaveGroup: call(control.LeaveGroupRequestSchema, control.LeaveGroupResponseSchema, leaveGroup),
  ListNamespaces: call(control.ListNamespacesRequestSchema, control.ListNamespacesResponseSchema, listNamespaces),
  PutNamespace: call(control.PutNamespaceRequestSchema, control.PutNamespaceResponseSchema, putNamespace),
  DeleteNamespace: call(control.DeleteNamespaceRequestSchema, control.DeleteNamespaceResponseSchema, deleteNamespace),
  Disconnect: call(control.DisconnectRequestSchema, control.DisconnectResponseSchema, disconnect),
  Ban: call(control.BanRequestSchema, control.BanResponseSchema, ban),
  Unban: call(control.UnbanRequestSchema, control.UnbanResponseSchema, unban),
  RevokeTokens: call(control.RevokeTokensRequestSchema, control.RevokeTokensResponseSchema, revokeTokens),
  CallPlayer: call(control.CallPlayerRequestSchema, control.CallPlayerResponseSchema, callPlayer),
  DeleteMessage: call(control.DeleteMessageRequestSchema, control.DeleteMessageResponseSchema, deleteMessage),
  ClearChannel: call(control.ClearChannelRequestSchema, control.ClearChannelResponseSchema, clearChannel),
  Drain: call(control.DrainRequestSchema, control.DrainResponseSchema, drain),
};

/** The calls of the control API that cases make, without its HTTP: the server runs in the process of the runner. */
export class ControlApi implements ControlCalls {
  readonly #server: ReferenceServer;

  constructor(server: ReferenceServer) {
    this.#server = server;
  }

  async call(method: string, request: JsonObject, appId: string): Promise<ControlAnswer> {
    const app = this.#server.apps.get(appId);
    const handle = calls[method];
    if (app === undefined || handle === undefined) return { error: "unimplemented", body: {} };
    try {
      return { error: "", body: await handle(this.#server, app, request) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const code = errorPolicy(error.code)?.connectCode ?? "internal";
      return { error: code, body: { code, message: error.message } };
    }
  }
}
