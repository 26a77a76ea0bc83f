import { CloseCode } from "@fanfare/proto/v1";
import type { SessionEndReason } from "./events.ts";
import type { Credentials, Session } from "./session.ts";
import type { SessionLink } from "./session-link.ts";
import type { TombstoneCode } from "./tombstones.ts";

/** A session by which a client is known already, or that another node has been told of. */
export interface SessionName {
  readonly id: string;
  readonly origin: bigint;
}

/** Who has to know when a session is over. */
export interface SessionOwnership {
  ended(session: Session, ending: Ending): void;
  /** A session that goes on elsewhere was ended by the connection that it has left here. */
  departedEnded(session: Session): void;
  /** A session that goes on elsewhere has nothing left here. */
  departedClosed(session: Session): void;
  /** The last session of a player has left this node; the connection of one that goes on elsewhere may still be served. */
  playerLeft(playerId: string): void;
}

/** What a client brought in its `hello`. */
export interface Arrival {
  readonly credentials: Credentials;
  readonly features: ReadonlySet<string>;
  readonly attempt: number;
  readonly link: SessionLink;
}

/** Why and how a session is ended. */
export interface Ending {
  readonly reason: SessionEndReason;
  readonly code: CloseCode;
  readonly message: string;
  /** Refuse its resume with this code; undefined: it is just forgotten. */
  readonly tombstone?: TombstoneCode;
}

/** The client has ended its session, by another connection than is closed for it. */
export const endedByClient: Ending = {
  reason: "left",
  code: CloseCode.DISCONNECTED,
  message: "the client has ended the session",
  tombstone: CloseCode.DISCONNECTED,
};
