import { WebSocket } from "ws";
import { CaseFailure } from "./failure.ts";
import type { Form } from "./frame-form.ts";

/** How a WebSocket is opened. */
export interface DialOptions {
  readonly url: string;
  readonly subprotocols: readonly string[];
  /** The form that is written where the server has selected no subprotocol of ours. */
  readonly form: Form;
  readonly origin: string;
  readonly answersPings: boolean;
  /** Offer permessage-deflate. */
  readonly deflate: boolean;
  readonly withinMs: number;
}

/** The HTTP status of a refused upgrade. */
export class Refused extends CaseFailure {
  readonly status: number;

  constructor(status: number) {
    super(`the upgrade was refused with HTTP status ${status}`);
    this.status = status;
  }
}

/**
 * Opens a WebSocket.
 * @param opened called in the turn in which it opens; what it returns is the result
 * @throws Refused, or CaseFailure when nobody answers
 */
export function openSocket<T>(options: DialOptions, opened: (socket: WebSocket) => T): Promise<T> {
  const { url, subprotocols, origin, deflate, withinMs } = options;
  const socket = new WebSocket(url, [...subprotocols], {
    perMessageDeflate: deflate,
    maxPayload: 32 * 1024 * 1024,
    handshakeTimeout: withinMs,
    ...(origin === "" ? {} : { origin }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  socket.once("open", () => resolve(opened(socket)));
  socket.once("unexpected-response", (_request, response) => {
    reject(new Refused(response.statusCode ?? 0));
    socket.terminate();
  });
  socket.on("error", (error) => reject(new CaseFailure(`no WebSocket at ${url}: ${error.message}`)));
  return promise;
}
