import type { CaseResult, Report } from "@fanfare/proto/conformance/v1alpha";
import { exitCodeOf, type Outcome, outcomeOf } from "../report/outcome.ts";
import { reportName } from "../report/report-name.ts";

/** How often a line says how far a run is, in milliseconds, where nobody sees a line change. */
const quietMs = 15_000;
const shownMs = 250;
/** Failures of one implementation that are told at once. All of them are in the report. */
const mostTold = 10;

/** What progress is written to. */
export interface ProgressScreen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Tells how far a run is, of each implementation, and at once what fails. */
export class Progress implements Disposable {
  readonly #screen: ProgressScreen;
  readonly #now: () => number;
  readonly #startedAtMs: number;
  readonly #running = new Map<string, { done: number; bad: number; readonly planned: number }>();
  readonly #timer: NodeJS.Timeout;
  #hasStatus = false;

  constructor(screen: ProgressScreen, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
    this.#startedAtMs = now();
    this.#timer = setInterval(() => this.show(), screen.isTTY ? shownMs : quietMs);
    this.#timer.unref();
  }

  /** Something is worth a line. */
  say(text: string): void {
    this.#clear();
    this.#screen.write(`${this.#time()} ${text}\n`);
  }

  began(name: string, planned: number): void {
    this.#running.set(name, { done: 0, bad: 0, planned });
  }

  ended(name: string, result: CaseResult): void {
    const one = this.#running.get(name);
    if (one === undefined) return;
    one.done++;
    const outcome = outcomeOf(result);
    if (quiet.has(outcome)) return;
    one.bad++;
    if (one.bad <= mostTold) this.say(`${name}: ${outcome.toUpperCase()} ${result.id}`);
    if (one.bad === mostTold) this.say(`${name}: more that fail are told at the end`);
  }

  finished(report: Report): void {
    const name = reportName(report);
    this.#running.delete(name);
    const verdict = exitCodeOf(report) === 0 ? "passed" : "FAILED";
    this.say(`${name}: ${verdict}, ${report.results.length} cases in ${(report.durationMs / 1000).toFixed(1)} s`);
  }

  /** Writes how far each implementation is. */
  show(): void {
    if (this.#running.size === 0) return;
    const parts = [...this.#running].map(([name, { done, planned }]) => `${name} ${done}/${planned}`);
    const line = `${this.#time()} ${parts.join(", ")}`;
    if (!this.#screen.isTTY) return void this.#screen.write(`${line}\n`);
    this.#clear();
    this.#screen.write(line.slice(0, (this.#screen.columns ?? 80) - 1));
    this.#hasStatus = true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #clear(): void {
    if (this.#hasStatus) this.#screen.write("\r\x1b[K");
    this.#hasStatus = false;
  }

  #time(): string {
    return `${((this.#now() - this.#startedAtMs) / 1000).toFixed(0).padStart(4)} s `;
  }
}

const quiet: ReadonlySet<Outcome> = new Set(["passed", "unsupported", "known failure"]);
