import { create } from "@bufbuild/protobuf";
import { type TraceEntry, TraceEntrySchema, TraceKind } from "@fanfare/proto/conformance/v1alpha";

/** Past this many entries the middle of a trace is left out: the first and the newest are what explains a failure. */
const maxEntries = 400;
/** Past this length the text of an entry is cut. */
const maxText = 2_000;

/** What went over the wire in one case. */
export class Trace {
  readonly #startedAtMs = performance.now();
  readonly #first: TraceEntry[] = [];
  #last: TraceEntry[] = [];
  #dropped = 0;

  add(actor: string, kind: TraceKind, text: string): void {
    const atUs = BigInt(Math.round((performance.now() - this.#startedAtMs) * 1000));
    const cut = text.length > maxText ? `${text.slice(0, maxText)}…` : text;
    const entry = create(TraceEntrySchema, { atUs, actor, kind, text: cut });
    if (this.#first.length < maxEntries / 2) this.#first.push(entry);
    else this.#last.push(entry);
    if (this.#last.length > maxEntries) {
      this.#dropped += maxEntries / 2;
      this.#last = this.#last.slice(maxEntries / 2);
    }
  }

  note(actor: string, text: string): void {
    this.add(actor, TraceKind.NOTE, text);
  }

  entries(): TraceEntry[] {
    if (this.#dropped === 0) return [...this.#first, ...this.#last];
    const text = `${this.#dropped} entries are left out here`;
    return [...this.#first, create(TraceEntrySchema, { kind: TraceKind.NOTE, text }), ...this.#last];
  }
}
