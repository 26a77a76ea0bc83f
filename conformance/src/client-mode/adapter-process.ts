import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { create, type JsonObject } from "@bufbuild/protobuf";
import {
  type ClientCommand,
  ClientCommandSchema,
  type ClientReport,
  ClientReportSchema,
  type Ready,
  ResetCommandSchema,
} from "@fanfare/proto/conformance/v1alpha";
import { readStreamed, type StreamForm, streamed } from "../adapters/report-stream.ts";
import { HarnessError } from "../run/failure.ts";
import { toCaseJson } from "../run/frame-form.ts";
import { killGroup, signalGroup, startGroup } from "../run/process-group.ts";

/** How long an adapter may take to be ready, to begin anew, and to end, in milliseconds. */
const startMs = 20_000;
const resetMs = 5_000;
const endMs = 2_000;

/** Gets what an adapter says. */
export interface ReportSink {
  /** Everything but `ready`. */
  report(json: JsonObject): void;
  /** Nothing comes any more. */
  ended(reason: string): void;
}

/** A program that is an adapter. */
export class AdapterProcess implements AsyncDisposable {
  /** Rejects with a HarnessError when the program does not report that it is ready. */
  readonly ready: Promise<Ready>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #ended = Promise.withResolvers<void>();
  #sink: ReportSink | undefined;
  #over: string | undefined;
  #form: StreamForm = "length-prefixed";
  #errors = "";
  #id = 0;
  #resetting: { readonly id: number; readonly done: PromiseWithResolvers<void> } | undefined;

  /** @param command of the shell */
  constructor(command: string) {
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
    this.#child = startGroup(command);
    this.#child.stderr.on("data", (data: Buffer) => {
      this.#errors = `${this.#errors}${data.toString()}`.slice(-2_000);
    });
    this.#child.stdin.on("error", () => {});
    this.#child.once("close", (code) => {
      this.#end(`until the adapter ended with ${code}`);
      this.#ready.reject(new HarnessError(`the adapter ended with ${code}: ${this.#errors}`));
      this.#ended.resolve();
    });
    const late = setTimeout(() => this.#ready.reject(new HarnessError("the adapter reported nothing")), startMs);
    this.ready.then(
      () => clearTimeout(late),
      () => clearTimeout(late),
    );
    void this.#read();
  }

  /** What the adapter wrote to its standard error last. */
  get errors(): string {
    return this.#errors;
  }

  /** From now on this sink gets what comes; undefined: nobody. */
  attach(sink: ReportSink | undefined): void {
    this.#sink = sink;
    if (this.#over !== undefined) sink?.ended(this.#over);
  }

  /** Stops the program, with everything it has started, or lets it go on. */
  freeze(frozen: boolean): void {
    signalGroup(this.#child.pid, frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Gives the client a command; returns its id. */
  command(verb: ClientCommand["verb"]): number {
    const id = ++this.#id;
    this.#child.stdin.write(streamed(ClientCommandSchema, create(ClientCommandSchema, { id, verb }), this.#form));
    return id;
  }

  /** Begins anew for another case. False: it cannot, or did not in time. */
  async reset(): Promise<boolean> {
    const { verbs } = await this.ready;
    if (!verbs.includes("reset") || this.#over !== undefined) return false;
    const done = Promise.withResolvers<void>();
    const value = create(ResetCommandSchema);
    this.#resetting = { id: this.command({ case: "reset", value }), done };
    const late = setTimeout(() => done.reject(new Error("late")), resetMs);
    try {
      await done.promise;
      this.#errors = "";
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(late);
    }
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
      for await (const one of readStreamed(ClientReportSchema, this.#child.stdout, onForm)) this.#reported(one);
    } catch (error) {
      this.#ready.reject(new HarnessError(`the adapter wrote no reports: ${String(error)}`));
      this.#end(`until the adapter wrote something that is no report: ${String(error)}`);
    }
  }

  #reported(one: ClientReport): void {
    const { report } = one;
    if (report.case === "ready") return this.#ready.resolve(report.value);
    if (report.case === "done" && report.value.id === this.#resetting?.id) {
      if (report.value.error === undefined) this.#resetting.done.resolve();
      else this.#resetting.done.reject(new Error(report.value.error.message));
      return;
    }
    this.#sink?.report(toCaseJson(ClientReportSchema, one));
  }

  #end(reason: string): void {
    this.#over ??= reason;
    this.#sink?.ended(this.#over);
    this.#resetting?.done.reject(new Error(reason));
  }
}
