import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { type CloseDecision, closeDecision, upgradeDecision } from "@fanfare/proto/policy";
import { writeOrCheck } from "./generated-file.ts";
import { markdownTable } from "./markdown-table.ts";
import { root } from "./packages.ts";
import { loadProtoDescriptors, type ProtoDescriptors } from "./proto-descriptors.ts";
import {
  boundsText,
  closePolicyOf,
  errorPolicyOf,
  featureOf,
  isRequired,
  reconnectText,
  typeText,
} from "./proto-wording.ts";
import { httpRefusals, standardCloseCodes } from "./standard-codes.ts";

/** The tables that docs/PROTOCOL.md includes between markers, by the name in the marker. */
export const protocolTables: Readonly<Record<string, (protos: ProtoDescriptors) => string>> = {
  "error-codes": errorCodes,
  "close-codes": closeCodes,
  "standard-codes": () => decisionTable("Code", standardCloseCodes, (code) => closeDecision(code)),
  "http-statuses": () => decisionTable("Status", httpRefusals, (status) => upgradeDecision(status)),
  features,
  "client-frames": (protos) => frames(protos, "ClientFrame"),
  "server-frames": (protos) => frames(protos, "ServerFrame"),
  bounds,
};

/**
 * The text with its generated sections made anew: whatever stands between `<!-- generated:name -->` and `<!-- /generated -->`.
 *
 * @throws if a marker names no table, is not closed, or a table is not included.
 */
export function fillTables(text: string, protos: ProtoDescriptors): string {
  const missing = new Set(Object.keys(protocolTables));
  const filled = text.replace(
    /(<!-- generated:(\S+) -->\n)([\s\S]*?)(<!-- \/generated -->)/g,
    (_, open, name, body, close) => {
      const table = protocolTables[name];
      if (table === undefined) throw new Error(`There is no table named ${name}`);
      if (body.includes("<!-- generated:")) throw new Error(`The section ${name} is not closed`);
      missing.delete(name);
      return `${open}\n${table(protos)}\n\n${close}`;
    },
  );
  if (missing.size > 0) throw new Error(`The text has no section for ${[...missing].join(", ")}`);
  return filled;
}

function errorCodes(protos: ProtoDescriptors): string {
  const values = protos.registry.getEnum("fanfare.v1.ErrorCode")?.values ?? [];
  const rows = values.flatMap((value) => {
    const policy = errorPolicyOf(value);
    if (policy === undefined) return [];
    const retry = policy.retryable ? `yes, ${policy.minBackoffMs} ms` : "no";
    const name = value.name.replace("ERROR_CODE_", "");
    return [[`${value.number}`, `\`${name}\``, retry, `\`${policy.connectCode}\``, protos.comment(value)]];
  });
  return markdownTable(["Number", "`ERROR_CODE_…`", "Retryable, least wait", "Connect code", "Meaning"], rows);
}

function closeCodes(protos: ProtoDescriptors): string {
  const values = protos.registry.getEnum("fanfare.v1.CloseCode")?.values ?? [];
  const rows = values.flatMap((value) => {
    const policy = closePolicyOf(value);
    if (policy === undefined) return [];
    const name = value.name.replace("CLOSE_CODE_", "");
    const decision = { ...policy, minBackoffMs: policy.minBackoffMs };
    return [[`${value.number}`, `\`${name}\``, ...decisionCells(decision), protos.comment(value)]];
  });
  return markdownTable(["Code", "`CLOSE_CODE_…`", "Come back", "Least wait", "Session", "Meaning"], rows);
}

function decisionCells({ reconnect, minBackoffMs, sessionEnds }: CloseDecision): string[] {
  const least = minBackoffMs === 0 ? "" : `${minBackoffMs} ms`;
  return [reconnectText[reconnect], least, sessionEnds ? "ends" : ""];
}

function decisionTable(
  head: string,
  entries: readonly { code: number; meaning: string }[],
  decide: (code: number) => CloseDecision,
): string {
  const rows = entries.map(({ code, meaning }) => {
    const [comeBack = "", least = ""] = decisionCells(decide(code));
    return [`${code}`, meaning, comeBack, least];
  });
  return markdownTable([head, "Meaning", "Come back", "Least wait"], rows);
}

function features(protos: ProtoDescriptors): string {
  const byName = new Map<string, { client: string[]; server: string[]; fields: string[] }>();
  for (const field of wireMessages(protos).flatMap((message) => message.fields)) {
    const name = featureOf(field);
    if (name === "") continue;
    const entry = byName.get(name) ?? { client: [], server: [], fields: [] };
    byName.set(name, entry);
    if (field.parent.name === "ClientFrame") entry.client.push(`\`${field.name}\``);
    else if (field.parent.name === "ServerFrame") entry.server.push(`\`${field.name}\``);
    else entry.fields.push(`\`${field.parent.name}.${field.name}\``);
  }
  const rows = [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { client, server, fields }]) => {
      return [`\`${name}\``, client.join(", "), server.join(", "), fields.join(", ")];
    });
  return markdownTable(["Feature", "Client's frames", "Server's frames", "Fields"], rows);
}

function frames(protos: ProtoDescriptors, type: "ClientFrame" | "ServerFrame"): string {
  const kinds = protos.registry.getMessage(`fanfare.v1.${type}`)?.oneofs[0]?.fields ?? [];
  const rows = kinds.map((field) => {
    const feature = featureOf(field);
    return [
      `\`${field.name}\``,
      `${field.number}`,
      `\`${typeText(field)}\``,
      feature === "" ? "core" : `\`${feature}\``,
      protos.comment(field),
    ];
  });
  return markdownTable(["Kind", "Number", "Message", "Feature", "What it does"], rows);
}

function bounds(protos: ProtoDescriptors): string {
  const rows = wireMessages(protos).flatMap((message) => [
    ...message.oneofs.filter(isRequired).map((oneof) => [`\`${message.name}.${oneof.name}\``, "oneof", "required"]),
    ...message.fields.map((field) => [`\`${message.name}.${field.name}\``, typeText(field), boundsText(field)]),
  ]);
  return markdownTable(
    ["Field", "Type", "Bounds"],
    rows.filter(([, , text]) => text !== ""),
  );
}

/** The messages that are reachable from the frames, in the order of their names. */
function wireMessages(protos: ProtoDescriptors): DescMessage[] {
  const found = new Set<DescMessage>();
  const visit = (message: DescMessage | undefined) => {
    if (message === undefined || found.has(message)) return;
    found.add(message);
    for (const field of message.fields as DescField[]) visit(field.message);
  };
  visit(protos.registry.getMessage("fanfare.v1.ClientFrames"));
  visit(protos.registry.getMessage("fanfare.v1.ServerFrames"));
  return [...found].sort((a, b) => (a.name < b.name ? -1 : 1));
}

if (import.meta.main) {
  const path = "docs/PROTOCOL.md";
  const content = fillTables(readFileSync(join(root, path), "utf8"), loadProtoDescriptors());
  writeOrCheck([{ path, content }], "node --conditions=@fanfare/source scripts/protocol-tables.ts");
}
