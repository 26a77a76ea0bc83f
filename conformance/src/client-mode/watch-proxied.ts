import { TraceKind } from "@fanfare/proto/conformance/v1alpha";
import { closeDecision } from "@fanfare/proto/policy";
import { type ClientFrame, ClientFrameSchema, type ServerFrame, ServerFrameSchema } from "@fanfare/proto/v1";
import type { ClientHistory } from "../client-rules/client-history.ts";
import { ClientWatcher } from "../client-rules/client-watcher.ts";
import type { PassedMessage, ProxyTap } from "../fault-proxy/proxied-connection.ts";
import type { HarnessError } from "../run/failure.ts";
import { toCaseJson } from "../run/frame-form.ts";
import type { Trace } from "../run/trace.ts";

/** What watching a connection through the fault proxy needs of its case. */
export interface WatchOptions {
  readonly history: ClientHistory;
  readonly trace: Trace;
  /** Whose connection it is, in the trace. Default: `proxy`. */
  readonly actor?: string;
  /** The client's side has ended. */
  ended(): void;
  failed(error: HarnessError): void;
}

/** Watches the client at its own side of the fault proxy: what the proxy does is not the client's fault. */
export function watchProxied(
  number: number,
  { history, trace, actor: name = "proxy", ended, failed }: WatchOptions,
): ProxyTap {
  const watcher = new ClientWatcher(history);
  const actor = `${name} ${number}`;
  return {
    clientSaid({ data, form, frames }: PassedMessage): void {
      if (frames === undefined) return watcher.undecodable(`${data.length} bytes`);
      watcher.message(data, form);
      for (const frame of frames as ClientFrame[]) watcher.received(frame);
      trace.add(actor, TraceKind.RECEIVED, shownFrames(ClientFrameSchema, frames as ClientFrame[]));
    },
    clientGot({ frames }: PassedMessage): void {
      for (const frame of (frames ?? []) as ServerFrame[]) watcher.sent(frame);
      trace.add(actor, TraceKind.SENT, shownFrames(ServerFrameSchema, (frames ?? []) as ServerFrame[]));
    },
    ended(by, code, reason): void {
      trace.add(actor, TraceKind.CONNECTION, `ended by the ${by}, ${code}`);
      if (by === "client") watcher.closed(code, reason);
      else ended();
      watcher.ended(by !== "client" && closeDecision(code).sessionEnds);
    },
    failed,
  };
}

function shownFrames(schema: typeof ClientFrameSchema | typeof ServerFrameSchema, frames: readonly unknown[]): string {
  return JSON.stringify(frames.map((frame) => toCaseJson(schema, frame as never)));
}
