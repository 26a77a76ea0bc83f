import { Counter, Gauge, type Registry } from "prom-client";

/** One metric, and how it is read off what counts. */
export interface MetricRow<Source> {
  readonly type: "gauge" | "counter";
  readonly name: string;
  readonly help: string;
  /** Name of its one label; undefined: it has none. */
  readonly label?: string;
  /** Values of the label, each with its number; without a label one, whose value is empty. */
  read(source: Source): Iterable<readonly [string, number]>;
}

type NumberOf<Source> = { [K in keyof Source]: Source[K] extends number ? K : never }[keyof Source];

/** What is the case now, out of one field. */
export function gauge<Source>(name: string, help: string, field: NumberOf<Source>): MetricRow<Source> {
  return { type: "gauge", name, help, read: (source) => [["", Number(source[field])]] };
}

/** What grows, out of one field. */
export function total<Source>(name: string, help: string, field: NumberOf<Source>): MetricRow<Source> {
  return { type: "counter", name, help, read: (source) => [["", Number(source[field])]] };
}

/** What grows, out of one field for each value of a label. */
export function totalBy<Source>(
  name: string,
  help: string,
  label: string,
  fields: readonly (readonly [value: string, field: NumberOf<Source>])[],
): MetricRow<Source> {
  const read = (source: Source) => fields.map(([value, field]) => [value, Number(source[field])] as const);
  return { type: "counter", name, help, label, read };
}

/** Adds metrics whose numbers are read at the scrape and at no other time. */
export function registerRows<Source>(
  registry: Registry,
  rows: readonly MetricRow<Source>[],
  source: () => Source,
): void {
  for (const { type, name, help, label, read } of rows) {
    const shared = { name, help, labelNames: label === undefined ? [] : [label], registers: [registry] };
    const labels = (value: string) => (label === undefined ? {} : { [label]: value });
    if (type === "gauge") {
      new Gauge({
        ...shared,
        collect() {
          for (const [value, number] of read(source())) this.set(labels(value), number);
        },
      });
    } else {
      new Counter({
        ...shared,
        collect() {
          this.reset(); // a counter of this library can only be added to
          for (const [value, number] of read(source())) this.inc(labels(value), number);
        },
      });
    }
  }
}
