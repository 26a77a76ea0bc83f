import { type ClientCommand, type Ready, TraceKind } from "@fanfare/proto/conformance/v1alpha";
import { Inbox } from "../run/inbox.ts";
import { AdapterProcess } from "./adapter-process.ts";
import type { AdapterContext, ClientAdapter } from "./client-adapter.ts";

/** Adapter processes of one command. Those that can begin anew are used for one case after the other, and never for two at once. */
export class AdapterPool implements AsyncDisposable {
  readonly #command: string;
  readonly #idle: AdapterProcess[] = [];

  /** @param command of the shell */
  constructor(command: string) {
    this.#command = command;
  }

  /** @throws HarnessError when the adapter does not report that it is ready */
  async open(context: AdapterContext): Promise<ClientAdapter> {
    const process = this.#idle.pop() ?? new AdapterProcess(this.#command);
    try {
      await process.ready;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return new LeasedAdapter(process, context, async () => {
      if (await process.reset()) this.#idle.push(process);
      else await process[Symbol.asyncDispose]();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((one) => one[Symbol.asyncDispose]()));
  }
}

/** An adapter process as long as a case has it. */
class LeasedAdapter implements ClientAdapter {
  readonly ready: Promise<Ready>;
  readonly reports: Inbox;
  readonly #process: AdapterProcess;
  readonly #context: AdapterContext;
  readonly #giveBack: () => Promise<void>;

  constructor(process: AdapterProcess, context: AdapterContext, giveBack: () => Promise<void>) {
    this.#process = process;
    this.#context = context;
    this.#giveBack = giveBack;
    this.ready = process.ready;
    this.reports = new Inbox(context.nextOrder);
    process.attach({
      report: (json) => {
        context.trace.add(context.actor ?? "client", TraceKind.NOTE, `reports ${JSON.stringify(json)}`);
        this.reports.add(json);
      },
      ended: (reason) => this.reports.end(reason),
    });
  }

  get errors(): string {
    return this.#process.errors;
  }

  freeze(frozen: boolean): void {
    this.#process.freeze(frozen);
  }

  command(verb: ClientCommand["verb"]): number {
    const id = this.#process.command(verb);
    this.#context.trace.add(this.#context.actor ?? "client", TraceKind.NOTE, `command ${id}: ${verb.case}`);
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.attach(undefined);
    await this.#giveBack();
  }
}
