import { execFileSync } from "node:child_process";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescEnum,
  type DescEnumValue,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescOneof,
  type DescService,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { root } from "./packages.ts";

/** What a comment in a proto file can stand before. */
export type Commented =
  | DescEnum
  | DescEnumValue
  | DescField
  | DescFile
  | DescMessage
  | DescMethod
  | DescOneof
  | DescService;

/** The proto files as `buf build` reads them, with their comments, which generated code does not keep. */
export interface ProtoDescriptors {
  registry: FileRegistry;
  /** The files of a package in the order of their names, for instance of `fanfare.v1`. */
  filesOf(packageName: string): DescFile[];
  /** The comment before an element, without comment marks, its lines as in the source; empty if there is none. */
  comment(desc: Commented): string;
}

/**
 * Builds a folder of proto files, by default the repository's workspace.
 *
 * @throws if they do not compile.
 */
export function loadProtoDescriptors(input = "."): ProtoDescriptors {
  const buf = join(root, "node_modules/.bin/buf");
  const image = execFileSync(buf, ["build", input, "-o", "-#format=binpb"], { cwd: root, maxBuffer: 2 ** 26 });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const comments = new Map<DescFile, Map<string, string>>();
  return {
    registry,
    filesOf(packageName) {
      const files = [...registry.files].filter((file) => file.proto.package === packageName);
      return files.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    comment(desc) {
      const file = fileOf(desc);
      let known = comments.get(file);
      if (known === undefined) {
        known = commentsOf(file);
        comments.set(file, known);
      }
      return known.get(pathOf(desc).join(".")) ?? "";
    },
  };
}

function fileOf(desc: Commented): DescFile {
  if (desc.kind === "file") return desc;
  return desc.kind === "enum" || desc.kind === "message" || desc.kind === "service" ? desc.file : desc.parent.file;
}

/** The way to an element through FileDescriptorProto's field numbers, as SourceCodeInfo has it. */
function pathOf(desc: Commented): number[] {
  switch (desc.kind) {
    case "file":
      return [2];
    case "message":
      return desc.parent === undefined
        ? [4, desc.file.proto.messageType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)];
    case "enum":
      return desc.parent === undefined
        ? [5, desc.file.proto.enumType.indexOf(desc.proto)]
        : [...pathOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)];
    case "service":
      return [6, desc.file.proto.service.indexOf(desc.proto)];
    case "field":
      return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)];
    case "oneof":
      return [...pathOf(desc.parent), 8, desc.parent.proto.oneofDecl.indexOf(desc.proto)];
    case "enum_value":
      return [...pathOf(desc.parent), 2, desc.parent.proto.value.indexOf(desc.proto)];
    case "rpc":
      return [...pathOf(desc.parent), 2, desc.parent.proto.method.indexOf(desc.proto)];
  }
}

function commentsOf(file: DescFile): Map<string, string> {
  const comments = new Map<string, string>();
  for (const location of file.proto.sourceCodeInfo?.location ?? []) {
    if (location.leadingComments === "") continue;
    const lines = location.leadingComments.split(/\r?\n/).map((line) => line.trim());
    comments.set(location.path.join("."), lines.join("\n").trim());
  }
  return comments;
}
