import type { Report } from "@fanfare/proto/conformance/v1alpha";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { textTable } from "./text-table.ts";

const signs: Readonly<Record<Outcome, string>> = {
  passed: "✓",
  failed: "✗",
  "known failure": "(✗)",
  "unexpected pass": "✗",
  unsupported: "–",
  "harness error": "!",
};

/** Pairs as a table for each server: a row a case, a column a client. */
export function pairTables(reports: readonly Report[]): string {
  const servers = [...new Set(reports.map(({ peer }) => peer))];
  return servers.map((server) => pairTable(server, reports)).join("\n\n");
}

function pairTable(server: string, reports: readonly Report[]): string {
  const own = reports.filter(({ peer }) => peer === server);
  const ids = [...new Set(own.flatMap(({ results }) => results.map(({ id }) => id)))];
  const sign = ({ results }: Report, id: string) => {
    const result = results.find((one) => one.id === id);
    return result === undefined ? "" : signs[outcomeOf(result)];
  };
  const header = [`with ${server}`, ...own.map(({ implementation }) => implementation)];
  return textTable([header, ...ids.map((id) => [id, ...own.map((report) => sign(report, id))])]);
}
