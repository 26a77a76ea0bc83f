import type { CloseCode } from "@fanfare/proto/v1";
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
