import type { IncomingMessage, ServerResponse } from "node:http";
import { type ConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ControlService } from "@fanfare/proto/control/v1";
import type { Caller } from "../auth/api-keys.ts";
import { OperatorKeys } from "../auth/operator-keys.ts";
import { appOf, callerKey, callerOf } from "./caller-context.ts";
import { EventFeeds } from "./cluster/event-feeds.ts";
import { RemoteEvents } from "./cluster/remote-events.ts";
import { controlCalls } from "./control-calls.ts";
import type { ControlNode, NodeActions } from "./control-context.ts";
import { guard } from "./guard.ts";
import { Publisher, type PublishRepeats } from "./publisher.ts";
import { EventWatchers } from "./watch-events.ts";

/** The largest request, uncompressed. */
const MAX_BYTES = 4 * 1024 * 1024;
/** What is read of a request without a known API key, to answer it in its own protocol. */
const MAX_STRANGER_BYTES = 16 * 1024;

const pathPrefix = `/${ControlService.typeName}/`;

/**
 * Which run of which node has answered, as `Node.incarnation` in decimal. In front of a cluster anything can choose who that is, and whoever waits for the end of a
 * node has to know whether it was that one which answers no more.
 */
const incarnationHeader = "fanfare-incarnation";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves `fanfare.control.v1.ControlService` by Connect and gRPC-Web, and behind HTTP/2 by gRPC. */
export class ControlApi {
  readonly #watchers: EventWatchers;
  readonly #feeds: EventFeeds | undefined;
  readonly #node: ControlNode;
  readonly #operatorKeys: OperatorKeys;
  readonly #handle: Handle;
  readonly #handleStranger: Handle;
  readonly #underWay = new Set<ServerResponse>();
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(node: ControlNode, actions: NodeActions, repeats: PublishRepeats) {
    const { cluster } = node;
    this.#watchers = new EventWatchers(node, cluster && new RemoteEvents(node, cluster));
    this.#feeds = cluster && new EventFeeds(node, cluster);
    this.#node = node;
    this.#operatorKeys = new OperatorKeys(node.config.operatorKeys);
    const publisher = new Publisher(node, repeats);
    const calls = controlCalls(node, actions);
    const routes = (router: ConnectRouter): void => {
      router.service(ControlService, {
        ...calls,
        publish: async ({ publications }, context) => {
          const app = appOf(node, context);
          const results = await publisher.publish(app, callerOf(context), publications, context.signal);
          return { results: results.map((ofPublication) => ({ results: ofPublication })) };
        },
        watchEvents: (request, context) =>
          this.#watchers.watch(appOf(node, context), callerOf(context), request, context.signal),
      });
    };
    const adapter = (readMaxBytes: number): Handle =>
      connectNodeAdapter({
        routes,
        readMaxBytes,
        interceptors: [guard(node)],
        contextValues: ({ headers }) =>
          createContextValues().set(callerKey, this.#callerOf(headers.authorization ?? null)),
      });
    this.#handle = adapter(MAX_BYTES);
    this.#handleStranger = adapter(MAX_STRANGER_BYTES);
  }

  /** Takes the requests of the service's path, and no others. */
  readonly route = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (!request.url?.startsWith(pathPrefix)) return false;
    this.#underWay.add(response);
    response.on("close", () => {
      this.#underWay.delete(response);
      if (this.#underWay.size === 0) this.#idle?.resolve();
    });
    const isKnown = this.#callerOf(request.headers.authorization ?? null) !== undefined;
    if (isKnown) response.setHeader(incarnationHeader, String(this.#node.incarnation));
    (isKnown ? this.#handle : this.#handleStranger)(request, response);
    return true;
  };

  /** Nodes are not an app's, so that an operator may ask for them and send their clients away. */
  #callerOf(authorization: string | null): Caller | undefined {
    const keyId = this.#operatorKeys.authenticate(authorization);
    if (keyId === undefined) return this.#node.apiKeys.authenticate(authorization);
    return { appId: "", keyId, scopes: new Set() };
  }

  /** The node drains: event streams end. Other calls are served on. */
  endStreams(): void {
    this.#watchers.end();
  }

  /** The node goes: nobody is told of anything any more. */
  close(): void {
    this.#watchers.end();
    this.#feeds?.close();
  }

  /** Settles when no call is under way. */
  get idle(): Promise<void> {
    if (this.#underWay.size === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }
}
