import { brokerMetrics, clusterMetrics } from "../server/src/observe/cluster-metrics.ts";
import { Counters } from "../server/src/observe/counters.ts";
import { linkMetrics } from "../server/src/observe/link-metrics.ts";
import type { MetricRow } from "../server/src/observe/metric-row.ts";
import { nodeMetrics } from "../server/src/observe/node-metrics.ts";
import { writeOrCheck } from "./generated-file.ts";
import { markdownTable } from "./markdown-table.ts";

/** Labels with more values are described by their name alone. */
const maxValues = 6;

function table<Source extends object>(rows: readonly MetricRow<Source>[], source: Source): string {
  const cells = rows.map((row) => [`\`${row.name}\``, row.type, labelOf(row, source), row.help]);
  return markdownTable(["Name", "Type", "Label", "What it says"], cells);
}

function labelOf<Source>({ label, read }: MetricRow<Source>, source: Source): string {
  if (label === undefined) return "";
  const values = [...read(source)].map(([value]) => `\`${value}\``);
  return values.length === 0 || values.length > maxValues ? `\`${label}\`` : `\`${label}\`: ${values.join(", ")}`;
}

/** Everything that `/metrics` serves, as a page. */
export function metricsReference(): string {
  // Only the names of labels are read off it.
  const nothing = new Proxy({}, { get: () => 0 });
  return `<!-- Made by scripts/metrics-reference.ts. Do not edit. -->

# Metrics

\`GET /metrics\` serves them at every address in Prometheus' text format, unless \`observe.metrics_disabled\` is set. Numbers are
read at the scrape, at most once a second: who scrapes sooner after another gets the same. What a node counts begins at 0 when it is started,
and when it comes back to its cluster as another incarnation; what goes on is \`fanfare_cluster_isolations_total\` and what it counts of Valkey.

The process's own numbers (\`process_…\`, \`nodejs_…\`) are there too, without those that would have to list every socket (\`nodejs_active_…\`; \`process_open_fds\`
where Linux is older than 6.2), and besides those below:
\`fanfare_build_info\` (always 1; labels \`version\`, \`node\`) and \`fanfare_event_loop_delay_seconds\` (how late timers ran since the
last scrape; label \`quantile\`: \`0.5\`, \`0.99\`, \`1\`).

## Every node

${table(nodeMetrics, new Counters())}

## A node of a cluster

What to be alarmed by is in [the guide to clusters](../guide/cluster.md#metrics-to-be-alarmed-by).

${table(clusterMetrics, nothing as never)}

## Valkey, as the node sees it

${table(brokerMetrics, nothing as never)}

## Links to other nodes

${table(linkMetrics, nothing as never)}
`;
}

if (import.meta.main) {
  writeOrCheck(
    [{ path: "docs/reference/metrics.md", content: metricsReference() }],
    "node scripts/metrics-reference.ts",
  );
}
