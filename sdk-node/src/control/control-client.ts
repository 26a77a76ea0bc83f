import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ControlService, OperatorService } from "@fanfare/proto/control/v1";
import { ErrorCode, FanfareError } from "@fanfare/sdk-core";
import { toFanfareError } from "./control-error.ts";

/** How to reach the control API. */
export interface ControlClientOptions {
  /** The server's address, as for `connect`: `http://…` or `https://…`; ws and wss are taken for those. A path is ignored. */
  url: string;
  /** Key of the control API. It names the app. */
  apiKey: string;
  /** How long a call may take, in milliseconds, `watchEvents` excepted. Default: 15,000. */
  timeoutMs?: number | undefined;
}

/**
 * Every call of `fanfare.control.v1.ControlService`. A call that fails rejects with a {@link FanfareError}; so does the iteration
 * over `watchEvents`.
 */
export type ControlClient = Client<typeof ControlService>;

/**
 * A client of the control API, by Connect over HTTP/1.1, which every proxy passes on. It holds no connection that has to be closed.
 *
 * ```ts
 * const control = createControlClient({ url: "http://127.0.0.1:8080", apiKey });
 * await control.publish({ publications: [{ channels: [channelFor("broadcast")], payload: payloadFor(text(), "hello") }] });
 * ```
 *
 * Throws INVALID_ARGUMENT for a URL that is none, and for an API key that no header can carry.
 */
export function createControlClient(options: ControlClientOptions): ControlClient {
  const { url, apiKey, timeoutMs } = options;
  return createClient(ControlService, transportTo(url, "apiKey", apiKey, timeoutMs));
}

/** How to reach the operator API. */
export interface OperatorClientOptions {
  /** The server's address, as for `createControlClient`. */
  url: string;
  /** One of `operator_keys` of the server's configuration. */
  operatorKey: string;
  /** How long a call may take, in milliseconds. Default: 15,000. */
  timeoutMs?: number | undefined;
}

/** Every call of `fanfare.control.v1.OperatorService`. A call that fails rejects with a {@link FanfareError}. */
export type OperatorClient = Client<typeof OperatorService>;

/**
 * A client of the operator API, which adds and removes apps at run time. It holds no connection that has to be closed.
 *
 * ```ts
 * const operator = createOperatorClient({ url: "http://127.0.0.1:8080", operatorKey });
 * await operator.putApp({ app: { id: "my-game", playerAuth: { jwksUrl: "https://my-game.example/keys" } } });
 * ```
 *
 * Throws INVALID_ARGUMENT for a URL that is none, and for a key that no header can carry.
 */
export function createOperatorClient(options: OperatorClientOptions): OperatorClient {
  const { url, operatorKey, timeoutMs } = options;
  return createClient(OperatorService, transportTo(url, "operatorKey", operatorKey, timeoutMs));
}

function transportTo(url: string, field: string, key: string, timeoutMs = 15_000): Transport {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} has to be visible ASCII`, { field });
  }
  const transport = createConnectTransport({
    baseUrl: baseUrlOf(url),
    httpVersion: "1.1",
    useBinaryFormat: true,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${key}`);
        return next(request);
      },
    ],
  });
  return withFanfareErrors(transport, timeoutMs);
}

function baseUrlOf(address: string): string {
  try {
    const url = new URL(address.replace(/^ws/i, "http"));
    if (url.protocol === "http:" || url.protocol === "https:") return url.origin;
  } catch {
    // told below
  }
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `"${address}" is no http or https URL`, { field: "url" });
}

/** An interceptor would not do: what one throws is made a ConnectError again. */
function withFanfareErrors(transport: Transport, defaultTimeoutMs: number): Transport {
  return {
    unary: (method, signal, timeoutMs, ...rest) =>
      transport.unary(method, signal, timeoutMs ?? defaultTimeoutMs, ...rest).catch((thrown: unknown) => {
        throw toFanfareError(thrown);
      }),
    async stream(method, ...rest) {
      try {
        const response = await transport.stream(method, ...rest);
        return { ...response, message: translated(response.message) };
      } catch (thrown) {
        throw toFanfareError(thrown);
      }
    },
  };
}

async function* translated<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* messages;
  } catch (thrown) {
    throw toFanfareError(thrown);
  }
}
