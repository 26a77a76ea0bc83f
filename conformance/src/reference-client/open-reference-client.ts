import { create } from "@bufbuild/protobuf";
import {
  type ClientCommand,
  ClientCommandSchema,
  ClientReportSchema,
  type Ready,
  TraceKind,
} from "@fanfare/proto/conformance/v1alpha";
import type { ClientAdapter, OpenAdapter } from "../client-mode/client-adapter.ts";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import { toCaseJson } from "../run/frame-form.ts";
import { Inbox } from "../run/inbox.ts";
import { ReferenceAdapter } from "./adapter.ts";

/** Opens the reference client in this process, with these rules broken. */
export function openReferenceClient(breaks: ClientBreaks): OpenAdapter {
  return async ({ trace, nextOrder }): Promise<ClientAdapter> => {
    const reports = new Inbox(nextOrder);
    const ready = Promise.withResolvers<Ready>();
    const adapter = new ReferenceAdapter(breaks, (one) => {
      if (one.report.case === "ready") return ready.resolve(one.report.value);
      const json = toCaseJson(ClientReportSchema, one);
      trace.add("client", TraceKind.NOTE, `reports ${JSON.stringify(json)}`);
      reports.add(json);
    });
    let id = 0;
    adapter.ready();
    return {
      ready: ready.promise,
      reports,
      errors: "",
      command(verb: ClientCommand["verb"]): number {
        trace.add("client", TraceKind.NOTE, `command ${++id}: ${verb.case}`);
        // In a turn of its own, as it would be in another process.
        const command = create(ClientCommandSchema, { id, verb });
        setImmediate(() => void adapter.execute(command));
        return id;
      },
      async [Symbol.asyncDispose](): Promise<void> {
        adapter.destroy();
      },
    };
  };
}
