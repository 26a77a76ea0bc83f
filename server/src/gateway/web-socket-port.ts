/** What a WebSocket tells the gateway. */
export interface WebSocketEvents {
  /** A whole message. */
  message: [data: Buffer, isBinary: boolean];
  /** A ping of the WebSocket's own, which is answered below the gateway. */
  ping: [data: Buffer];
  /** Something is wrong with it; `close` follows. */
  error: [reason: Error];
  /** A close begins, whoever begins it: nothing may be written any more. 1005: without a code. */
  closing: [code: number, by: "server" | "client"];
  /** It is gone. Nothing follows. */
  close: [code: number];
}

/** A WebSocket after its upgrade, as the gateway uses it: one of `ws`, or one in memory. */
export interface WebSocketPort {
  on<Name extends keyof WebSocketEvents>(event: Name, listener: (...args: WebSocketEvents[Name]) => void): unknown;
  /** Begins the close; `closing` is told before this returns, unless it was already. */
  close(code: number, reason: string): void;
  /** Cuts it; `close` is told. */
  terminate(): void;
}
