import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { create } from "@bufbuild/protobuf";
import { ChannelSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { mintDevToken } from "../auth/mint.ts";
import type { Clock } from "../clock.ts";
import { DEV_APP_ID, DEV_KEY_ID } from "../config/dev-config.ts";
import { isLoopbackHost } from "../gateway/page-origin.ts";
import { get, type Route, sendText } from "./routes.ts";

/** The secrets of a development server. */
export interface DevSecrets {
  readonly tokenSecret: string;
  readonly apiKey: string;
  /** Default: none is told. */
  readonly operatorKey?: string;
}

/** What `/dev/credentials` answers with, as JSON. */
export interface DevCredentials {
  readonly player: string;
  readonly token: string;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly expiresAtMs: number;
  readonly apiKey: string;
  readonly operatorKey?: string;
}

const violationOf = validatorFor(ChannelSchema);

/**
 * `/dev/credentials?player=alice`: a token and the keys of a development server, for its own command line and page. Answered only to
 * a peer on this machine that asked for this machine by name or address, so that neither the network nor a page of another
 * site (which gets no permission to read it, nor could it by a name of its own that points here) learns them.
 */
export function devCredentialsRoute(secrets: DevSecrets, clock: Clock): Route {
  return get("/dev/credentials", (request, response) => {
    if (!isFromThisMachine(request)) return sendText(response, 403, "only for this machine\n");
    const playerId = new URL(request.url ?? "/", "http://localhost").searchParams.get("player") ?? "player";
    const violation = violationOf(create(ChannelSchema, { kind: { case: "player", value: playerId } }));
    if (violation !== undefined) return sendText(response, 400, `the player's name ${violation.message}\n`);
    const { tokenSecret: secret, apiKey, operatorKey } = secrets;
    mintDevToken({ appId: DEV_APP_ID, keyId: DEV_KEY_ID, playerId, secret, nowMs: clock.nowMs() }).then(
      ({ token, expiresAtMs }) => {
        const keys = { apiKey, ...(operatorKey !== undefined && { operatorKey }) };
        const credentials: DevCredentials = { player: playerId, token, expiresAtMs, ...keys };
        sendText(response, 200, `${JSON.stringify(credentials)}\n`, "application/json");
      },
      () => sendText(response, 500, "the token could not be made\n"),
    );
  });
}

function isFromThisMachine({ socket, headers }: IncomingMessage): boolean {
  const host = headers.host ?? "";
  if (!URL.canParse(`http://${host}`) || !isLoopbackHost(new URL(`http://${host}`).hostname)) return false;
  const peer = socket.remoteAddress ?? "";
  const address = peer.startsWith("::ffff:") ? peer.slice(7) : peer;
  return address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
