import type { DescEnum, DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { writeOrCheck } from "./generated-file.ts";
import { type Commented, loadProtoDescriptors, type ProtoDescriptors } from "./proto-descriptors.ts";
import {
  boundsText,
  closePolicyOf,
  errorPolicyOf,
  featureOf,
  isRequired,
  reconnectText,
  typeText,
} from "./proto-wording.ts";

/**
 * The whole of fanfare.v1 as one proto file that imports nothing and has no options, for generators that know neither custom
 * options nor several files. What the options say stands in comments.
 */
export function plainProto(protos: ProtoDescriptors): string {
  const files = protos.filesOf("fanfare.v1").filter((file) => file.name !== "fanfare/v1/options");
  const blocks = files.flatMap((file) => [
    ...file.messages.map((message) => messageBlock(protos, message)),
    ...file.enums.map((enumeration) => enumBlock(protos, enumeration)),
  ]);
  return `${[header, ...blocks].join("\n\n")}\n`;
}

const header = `// Made by scripts/plain-proto.ts from proto/fanfare/v1. Do not edit.
//
// The wire of Fanfare, revision 1, in one file without imports and options, for small generators. It encodes exactly as the files it
// is made from. Lengths are in bytes. Charsets: NAME is A-Z a-z 0-9 and _ - . : @ / + = ~; IDENTIFIER is A-Z a-z 0-9 and _ - .;
// VISIBLE is 0x21 to 0x7E.
syntax = "proto3";

package fanfare.v1;`;

function messageBlock(protos: ProtoDescriptors, message: DescMessage): string {
  const comment = commentLines(protos, message);
  const body = [...message.members.flatMap((member) => memberLines(protos, member)), ...reservedLines(message)];
  if (body.length === 0) return [...comment, `message ${message.name} {}`].join("\n");
  return [...comment, `message ${message.name} {`, ...indent(body), "}"].join("\n");
}

function memberLines(protos: ProtoDescriptors, member: DescField | DescOneof): string[] {
  if (member.kind === "field") return fieldLines(protos, member);
  const note = isRequired(member) ? ["Bounds: required."] : [];
  return [
    ...commentLines(protos, member, note),
    `oneof ${member.name} {`,
    ...indent(member.fields.flatMap((field) => fieldLines(protos, field))),
    "}",
  ];
}

function fieldLines(protos: ProtoDescriptors, field: DescField): string[] {
  const bounds = boundsText(field);
  const feature = featureOf(field);
  const notes = [bounds === "" ? "" : `Bounds: ${bounds}.`, feature === "" ? "" : `Feature: ${feature}.`];
  const comment = commentLines(
    protos,
    field,
    notes.filter((note) => note !== ""),
  );
  return [...comment, `${typeText(field)} ${field.name} = ${field.number};`];
}

function reservedLines({ proto }: DescMessage): string[] {
  // A range ends before `end`.
  const ranges = proto.reservedRange.map(({ start, end }) =>
    end - start === 1 ? `${start}` : `${start} to ${end - 1}`,
  );
  return [
    ...(ranges.length === 0 ? [] : [`reserved ${ranges.join(", ")};`]),
    ...(proto.reservedName.length === 0
      ? []
      : [`reserved ${proto.reservedName.map((name) => `"${name}"`).join(", ")};`]),
  ];
}

function enumBlock(protos: ProtoDescriptors, enumeration: DescEnum): string {
  const values = enumeration.values.flatMap((value) => {
    const error = errorPolicyOf(value);
    const close = closePolicyOf(value);
    const notes: string[] = [];
    if (error?.retryable) notes.push(`Retryable, after ${error.minBackoffMs} ms at the least.`);
    if (close !== undefined) {
      const least = close.minBackoffMs === 0 ? "" : `, after ${close.minBackoffMs} ms at the least`;
      notes.push(
        `Reconnect: ${reconnectText[close.reconnect]}${least}.${close.sessionEnds ? " The session ends." : ""}`,
      );
    }
    return [...commentLines(protos, value, notes), `${value.name} = ${value.number};`];
  });
  return [...commentLines(protos, enumeration), `enum ${enumeration.name} {`, ...indent(values), "}"].join("\n");
}

function commentLines(protos: ProtoDescriptors, desc: Commented, notes: readonly string[] = []): string[] {
  const comment = protos.comment(desc);
  const lines = [...(comment === "" ? [] : comment.split("\n")), ...notes];
  return lines.map((line) => (line === "" ? "//" : `// ${line}`));
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

if (import.meta.main) {
  const content = plainProto(loadProtoDescriptors());
  writeOrCheck(
    [{ path: "proto/plain/fanfare.v1.proto", content }],
    "node --conditions=@fanfare/source scripts/plain-proto.ts",
  );
}
