import type { DescEnum, DescField, DescFile, DescMessage, DescService } from "@bufbuild/protobuf";
import { type GeneratedFile, writeOrCheck } from "./generated-file.ts";
import { markdownTable } from "./markdown-table.ts";
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

const pages = [
  {
    path: "docs/reference/protocol.md",
    packageName: "fanfare.v1",
    title: "Wire reference",
    intro:
      "Every message and enum of `fanfare.v1`. What client and server owe each other is in [PROTOCOL.md](../PROTOCOL.md); this page is the list.",
  },
  {
    path: "docs/reference/control.md",
    packageName: "fanfare.control.v1",
    title: "Control API reference",
    intro:
      "Every call of `fanfare.control.v1.ControlService`, of `fanfare.control.v1.OperatorService`, and what they carry.",
  },
  {
    path: "docs/reference/config.md",
    packageName: "fanfare.config.v1",
    title: "Configuration reference",
    intro:
      "Every field of a server's configuration, `fanfare.config.v1.ServerConfig`. Values of enums may be written without their prefix and in small letters: `debug` is `LOG_LEVEL_DEBUG`.",
  },
] as const;

/** The pages of the reference, made from the proto files and their comments. */
export function referencePages(protos: ProtoDescriptors): GeneratedFile[] {
  return pages.map(({ path, packageName, title, intro }) => {
    const files = protos.filesOf(packageName);
    const sections = files.flatMap((file) => fileSections(protos, file));
    const content = [
      `# ${title}`,
      "<!-- Made by scripts/protocol-reference.ts from proto/. Do not edit. -->",
      intro,
      ...sections,
    ];
    return { path, content: `${content.join("\n\n")}\n` };
  });
}

function fileSections(protos: ProtoDescriptors, file: DescFile): string[] {
  const comment = protos.comment(file);
  return [
    `## ${file.name.split("/").pop()}.proto`,
    ...(comment === "" ? [] : [comment]),
    ...file.services.flatMap((service) => serviceSection(protos, service)),
    ...file.messages.flatMap((message) => messageSection(protos, message)),
    ...file.enums.flatMap((enumeration) => enumSection(protos, enumeration)),
  ];
}

function serviceSection(protos: ProtoDescriptors, service: DescService): string[] {
  const rows = service.methods.map((method) => [
    `\`${method.name}\``,
    link(method.input, service.file),
    `${method.methodKind === "server_streaming" ? "stream of " : ""}${link(method.output, service.file)}`,
    protos.comment(method),
  ]);
  return [
    `### ${service.name}`,
    protos.comment(service),
    markdownTable(["Call", "Request", "Response", "What it does"], rows),
  ];
}

function messageSection(protos: ProtoDescriptors, message: DescMessage): string[] {
  const rows = message.members.flatMap((member) =>
    member.kind === "field"
      ? [fieldRow(protos, member)]
      : [
          ["", `*one of* \`${member.name}\``, isRequired(member) ? "required" : "", protos.comment(member)],
          ...member.fields.map((field) => fieldRow(protos, field)),
        ],
  );
  const table = rows.length === 0 ? "It has no fields." : markdownTable(["Field", "Type", "Bounds", "Meaning"], rows);
  return [`### ${message.name}`, protos.comment(message), table];
}

function fieldRow(protos: ProtoDescriptors, field: DescField): string[] {
  const feature = featureOf(field);
  const meaning = `${protos.comment(field)}${feature === "" ? "" : ` *Feature \`${feature}\`.*`}`;
  return [`\`${field.name}\` = ${field.number}`, fieldType(field), boundsText(field), meaning];
}

function fieldType(field: DescField): string {
  const type = field.message ?? field.enum;
  const label = field.fieldKind === "list" ? "repeated " : "";
  return type === undefined ? typeText(field) : `${label}${link(type, field.parent.file)}`;
}

function link(type: DescMessage | DescEnum, from: DescFile): string {
  const page = pages.find(({ packageName }) => packageName === type.file.proto.package);
  if (page === undefined) throw new Error(`${type.typeName} is on no page of the reference`);
  const path = type.file.proto.package === from.proto.package ? "" : page.path.split("/").pop();
  return `[${type.name}](${path}#${type.name.toLowerCase()})`;
}

function enumSection(protos: ProtoDescriptors, enumeration: DescEnum): string[] {
  const rows = enumeration.values.map((value) => {
    const error = errorPolicyOf(value);
    const close = closePolicyOf(value);
    const notes = [
      error?.retryable ? `*Retryable after ${error.minBackoffMs} ms.*` : "",
      close === undefined ? "" : `*Reconnect: ${reconnectText[close.reconnect]}.*`,
    ];
    return [
      `\`${value.name}\``,
      `${value.number}`,
      [protos.comment(value), ...notes].filter((part) => part !== "").join(" "),
    ];
  });
  return [`### ${enumeration.name}`, protos.comment(enumeration), markdownTable(["Value", "Number", "Meaning"], rows)];
}

if (import.meta.main) {
  writeOrCheck(
    referencePages(loadProtoDescriptors()),
    "node --conditions=@fanfare/source scripts/protocol-reference.ts",
  );
}
