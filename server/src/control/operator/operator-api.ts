import type { IncomingMessage, ServerResponse } from "node:http";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { OperatorService } from "@fanfare/proto/control/v1";
import { OperatorKeys } from "../../auth/operator-keys.ts";
import { appCalls } from "./app-calls.ts";
import { type OperatorCaller, type OperatorNode, operatorKey } from "./operator-context.ts";
import { operatorGuard } from "./operator-guard.ts";

/** The largest request, uncompressed: an app that is too large is told so by its size. */
const maxBytes = 256 * 1024;
/** What is read of a request without a known key, to answer it in its own protocol. */
const maxStrangerBytes = 16 * 1024;

const pathPrefix = `/${OperatorService.typeName}/`;

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves `fanfare.control.v1.OperatorService`, as the control API is served. */
export class OperatorApi {
  readonly #node: OperatorNode;
  readonly #keys: OperatorKeys;
  readonly #handle: Handle;
  readonly #handleStranger: Handle;

  constructor(node: OperatorNode) {
    this.#node = node;
    this.#keys = new OperatorKeys(node.config.operatorKeys);
    const calls = appCalls(node);
    const adapter = (readMaxBytes: number): Handle =>
      connectNodeAdapter({
        routes: (router) => void router.service(OperatorService, calls),
        readMaxBytes,
        interceptors: [operatorGuard(node)],
        contextValues: ({ headers }) =>
          createContextValues().set(operatorKey, this.#callerOf(headers.authorization ?? null)),
      });
    this.#handle = adapter(maxBytes);
    this.#handleStranger = adapter(maxStrangerBytes);
  }

  /** Takes the requests of the service's path, and no others. */
  readonly route = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (!request.url?.startsWith(pathPrefix)) return false;
    const caller = this.#callerOf(request.headers.authorization ?? null);
    const isOperator = caller !== undefined && "operator" in caller;
    (isOperator ? this.#handle : this.#handleStranger)(request, response);
    return true;
  };

  #callerOf(authorization: string | null): OperatorCaller | undefined {
    const operator = this.#keys.authenticate(authorization);
    if (operator !== undefined) return { operator };
    const ofApp = this.#node.apiKeys.authenticate(authorization);
    return ofApp && { app: ofApp.appId };
  }
}
