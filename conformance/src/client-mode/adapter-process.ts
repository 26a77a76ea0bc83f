import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import {
  type ClientCommand,
  ClientCommandSchema,
  ClientReportSchema,
  type Ready,
  TraceKind,
} from "@fanfare/proto/conformance/v1alpha";
import { readStreamed, type StreamForm, streamed } from "../adapters/report-stream.ts";
import { HarnessError } from "../run/failure.ts";
import { toCaseJson } from "../run/frame-form.ts";
import { Inbox } from "../run/inbox.ts";
import type { Trace } from "../run/trace.ts";
import type { AdapterContext, ClientAdapter } from "./client-adapter.ts";
import { killGroup } from "./kill-group.ts";

/** How long an adapter may take to be ready, and to end, in milliseconds. */
const startMs = 20_000;
const endMs = 2_000;

/** How an adapter is started. */
export interface AdapterOptions extends AdapterContext {
  /** The shell command. */
  readonly command: string;
}

/** A client under test behind an adapter program. */
export class AdapterProcess implements ClientAdapter {
  readonly reports: Inbox;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #trace: Trace;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #ended = Promise.withResolvers<void>();
  #form: StreamForm = "length-prefixed";
  #errors = "";
  #id = 0;

  private constructor({ command, trace, nextOrder }: AdapterOptions) {
    this.#trace = trace;
    this.reports = new Inbox(nextOrder);
    // A process group of its own, so that what the shell has started ends with it.
    this.#child = spawn(command, { shell: true, stdio: "pipe", detached: true });
    this.#child.stderr.on("data", (data: Buffer) => {
      this.#errors = `${this.#errors}${data.toString()}`.slice(-2_000);
    });
    this.#child.stdin.on("error", () => {});
    this.#child.once("close", (code) => {
      this.reports.end(`until the adapter ended with ${code}`);
      this.#ready.reject(new HarnessError(`the adapter ended with ${code}: ${this.#errors}`));
      this.#ended.resolve();
    });
    this.#ready.promise.catch(() => {});
    void this.#read();
  }

  /** @throws HarnessError when the adapter does not report that it is ready */
  static async start(options: AdapterOptions): Promise<AdapterProcess> {
    const adapter = new AdapterProcess(options);
    const late = setTimeout(() => adapter.#ready.reject(new HarnessError("the adapter reported nothing")), startMs);
    try {
      await adapter.#ready.promise;
      return adapter;
    } catch (error) {
      await adapter[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  get ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  get errors(): string {
    return this.#errors;
  }

  command(verb: ClientCommand["verb"]): number {
    const id = ++this.#id;
    this.#trace.add("client", TraceKind.NOTE, `command ${id}: ${verb.case}`);
    this.#child.stdin.write(streamed(ClientCommandSchema, create(ClientCommandSchema, { id, verb }), this.#form));
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const late = setTimeout(() => killGroup(this.#child.pid), endMs);
    await this.#ended.promise;
    clearTimeout(late);
  }

  async #read(): Promise<void> {
    try {
      const onForm = (form: StreamForm) => {
        this.#form = form;
      };
      for await (const one of readStreamed(ClientReportSchema, this.#child.stdout, onForm)) {
        const json = toCaseJson(ClientReportSchema, one);
        this.#trace.add("client", TraceKind.NOTE, `reports ${JSON.stringify(json)}`);
        if (one.report.case === "ready") this.#ready.resolve(one.report.value);
        else this.reports.add(json);
      }
    } catch (error) {
      this.#ready.reject(new HarnessError(`the adapter wrote no reports: ${String(error)}`));
      this.reports.end(`until the adapter wrote something that is no report: ${String(error)}`);
    }
  }
}
