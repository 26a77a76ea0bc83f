import { type Case, type ClientCommand, type Span, TraceKind } from "@fanfare/proto/conformance/v1alpha";
import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import type { ClientAdapter, OpenAdapter } from "../client-mode/client-adapter.ts";
import { watchProxied } from "../client-mode/watch-proxied.ts";
import { ClientHistory } from "../client-rules/client-history.ts";
import { FaultProxy } from "../fault-proxy/fault-proxy.ts";
import type { ProxyTap } from "../fault-proxy/proxied-connection.ts";
import { ServerWatcher } from "../rules/server-watcher.ts";
import { ActorState } from "../run/actor.ts";
import type { CaseFailure, HarnessError } from "../run/failure.ts";
import { Inbox } from "../run/inbox.ts";
import { spanMs } from "../run/span-ms.ts";
import type { Trace } from "../run/trace.ts";
import type { ServerHandle } from "../target/environment.ts";

/** What a client of a pair needs of its case. */
export interface PairActorOptions {
  readonly name: string;
  readonly definition: Case;
  readonly run: string;
  readonly open: OpenAdapter;
  readonly server: ServerHandle;
  /** Features that the server claims. */
  readonly claims: ReadonlySet<string>;
  readonly trace: Trace;
  readonly nextOrder: () => number;
  readonly broken: (failure: CaseFailure | HarnessError) => void;
}

/** One client of a pair: a player, an adapter, and a proxy of its own before the server. Both sides are held to the rules of every connection. */
export class PairActor implements AsyncDisposable {
  /** Its player, and its last welcome. */
  readonly state: ActorState;
  readonly adapter: ClientAdapter;
  readonly proxy: FaultProxy;
  /** What became of its connections: `{ ended: { by, code } }`. */
  readonly ends: Inbox;

  private constructor(state: ActorState, adapter: ClientAdapter, proxy: FaultProxy, ends: Inbox) {
    this.state = state;
    this.adapter = adapter;
    this.proxy = proxy;
    this.ends = ends;
  }

  /** @throws HarnessError when the adapter does not start */
  static async start(options: PairActorOptions): Promise<PairActor> {
    const { name, definition, run, open, server, claims, trace, nextOrder, broken } = options;
    const state = new ActorState(name, definition.actors[name] as Case["actors"][string], run);
    const adapter = await open({ actor: name, trace, nextOrder });
    try {
      const { features } = await adapter.ready;
      const history = new ClientHistory(new Set(features), broken);
      const ends = new Inbox(nextOrder);
      const watch = (number: number): ProxyTap =>
        joined(
          watchProxied(number, { history, trace, actor: name, ended: () => {}, failed: broken }),
          watchServer(state, claims, broken),
          (by, code) => ends.add({ ended: { by, code } }),
        );
      const proxy = await FaultProxy.start({ upstreams: server.addresses, watch });
      return new PairActor(state, adapter, proxy, ends);
    } catch (error) {
      await adapter[Symbol.asyncDispose]();
      throw error;
    }
  }

  command(verb: ClientCommand["verb"]): number {
    return this.adapter.command(verb);
  }

  spanMs(span: Span | undefined, patienceMs: number): number {
    const units = { patienceMs, welcome: this.state.welcome, goaway: undefined, token: this.state.token };
    return spanMs(span, units, patienceMs);
  }

  /** Ends the client's connections as the network would. */
  cut(trace: Trace): void {
    trace.add(this.state.name, TraceKind.CONNECTION, "cut by the runner");
    for (const one of this.proxy.standing) one.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.adapter[Symbol.asyncDispose]();
  }
}

/** Watches the server at its own side of the proxy. */
function watchServer(state: ActorState, claims: ReadonlySet<string>, broken: (failure: CaseFailure) => void): ProxyTap {
  let watcher: ServerWatcher | undefined;
  return {
    serverGot({ form, frames }) {
      watcher ??= new ServerWatcher(form, claims, broken);
      for (const frame of (frames ?? []) as ClientFrame[]) watcher.sent(frame);
    },
    serverSaid({ data, form, frames }) {
      watcher ??= new ServerWatcher(form, claims, broken);
      if (frames === undefined) return watcher.violate("FF-TR-008", "no ServerFrames came");
      const json = form === "json" ? { json: JSON.parse(Buffer.from(data).toString()) as unknown } : {};
      watcher.message({ bytes: data.length, frames: frames.length, ...json });
      for (const frame of frames as ServerFrame[]) {
        watcher.received(frame);
        if (frame.kind.case === "welcome") state.welcome = frame.kind.value;
      }
    },
    ended(by, code, reason) {
      if (by === "server") watcher?.closed(code, reason);
    },
  };
}

function joined(a: ProxyTap, b: ProxyTap, ended: (by: string, code: number) => void): ProxyTap {
  return {
    clientSaid: (message) => a.clientSaid?.(message),
    clientGot: (message) => a.clientGot?.(message),
    serverSaid: (message) => b.serverSaid?.(message),
    serverGot: (message) => b.serverGot?.(message),
    ended(by, code, reason) {
      a.ended?.(by, code, reason);
      b.ended?.(by, code, reason);
      ended(by, code);
    },
    failed: (error) => a.failed?.(error),
  };
}
