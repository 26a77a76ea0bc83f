/** What the server admits on a connection. Rates are averages; what they name may come in bursts of a second's worth. */
export interface ServerLimits {
  /** Bytes of one WebSocket message from this client. */
  readonly maxFrameBytes: number;
  /** Bytes of a payload's data. */
  readonly maxPayloadBytes: number;
  /** Subscriptions of a session, those that the server opens by itself not counted. */
  readonly maxSubscriptions: number;
  /** Publishes a second. */
  readonly publishesPerSecond: number;
  /** Publishes that may come at once after a rest. */
  readonly publishBurst: number;
  /** Requests that may wait for their reply at once. */
  readonly maxPendingRequests: number;
  /** Frames a second of any kind. */
  readonly framesPerSecond: number;
  /** Bytes a second; 0 if the server does not say. */
  readonly bytesPerSecond: number;
}

/** The server that serves this client, as of the newest connection. */
export interface ServerInfo {
  /** The node that answers; for support and logs. */
  readonly nodeId: string;
  /** The app of the token. */
  readonly appId: string;
  /** The protocol's features that are in force. */
  readonly features: readonly string[];
  /** After this long without anything sent or received, a sign of life is asked for, in milliseconds. */
  readonly heartbeatIntervalMs: number;
  /** How much longer silence is tolerated, in milliseconds. */
  readonly heartbeatTimeoutMs: number;
  /** What the server admits; undefined if it does not say. */
  readonly limits: ServerLimits | undefined;
}
