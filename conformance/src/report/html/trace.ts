import { Subject, type TraceEntry, TraceKind } from "@fanfare/proto/conformance/v1alpha";
import { html, type Markup } from "./markup.ts";

const marks: Readonly<Record<TraceKind, readonly [string, string]>> = {
  [TraceKind.UNSPECIFIED]: ["?", "note"],
  [TraceKind.SENT]: ["→", "sent"],
  [TraceKind.RECEIVED]: ["←", "received"],
  [TraceKind.CONNECTION]: ["⇄", "connection"],
  [TraceKind.NOTE]: ["", "note"],
};

/** What went over the wire in a case, folded up. */
export function traceSection(trace: readonly TraceEntry[], subject: Subject): Markup | undefined {
  if (trace.length === 0) return undefined;
  const ends = subject === Subject.PAIR ? "→ to the client, ← from it" : "→ the runner sent, ← the implementation did";
  return html`<details class="trace"><summary>What went over the wire <small>${trace.length} entries; ${ends}; fields that have their default are left out</small></summary>
<ol>${trace.map(entry)}</ol></details>`;
}

function entry({ atUs, actor, kind, text }: TraceEntry): Markup {
  const [mark, name] = marks[kind];
  const step = kind === TraceKind.NOTE && /^step \d+: /.test(text) ? " step" : "";
  const at = (Number(atUs) / 1000).toFixed(1);
  return html`<li class="${name}${step}"><time>${at} ms</time><b>${actor}</b><i>${mark}</i><div>${content(kind, text)}</div></li>`;
}

/** Frames one below the other, each with its kind and id before the rest; what is no list of frames as it is. */
function content(kind: TraceKind, text: string): Markup {
  const frames = kind === TraceKind.SENT || kind === TraceKind.RECEIVED ? framesOf(text) : undefined;
  if (frames === undefined) return html`<code>${text}</code>`;
  if (frames.length === 0) return html`<code>a message without frames</code>`;
  return html`${frames.map(frame)}`;
}

function framesOf(text: string): Record<string, unknown>[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.every((one) => typeof one === "object" && one !== null) ? parsed : undefined;
  } catch {
    return undefined; // cut to the trace's bound
  }
}

function frame({ id, ...kinds }: Record<string, unknown>): Markup {
  const [kind = "no kind", value = {}] = Object.entries(kinds)[0] ?? [];
  const number = id === undefined || id === 0 ? undefined : html` <span class="id">#${String(id)}</span>`;
  return html`<p><span class="kind">${kind}</span>${number} <code>${JSON.stringify(withoutDefaults(value))}</code></p>`;
}

/** Protobuf's JSON without the fields that say nothing. Members of free JSON values are left out alike, which a reader of a trace can bear. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== "object" || value === null) return value;
  const telling = Object.entries(value).filter(([, one]) => !isDefault(one));
  return Object.fromEntries(telling.map(([key, one]) => [key, withoutDefaults(one)]));
}

function isDefault(value: unknown): boolean {
  return (
    value === false || value === 0 || value === "0" || value === "" || (Array.isArray(value) && value.length === 0)
  );
}
