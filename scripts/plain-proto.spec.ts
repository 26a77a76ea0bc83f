import { writeFileSync } from "node:fs";
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescFile } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { root } from "./packages.ts";
import { plainProto } from "./plain-proto.ts";
import { loadProtoDescriptors } from "./proto-descriptors.ts";

const protos = loadProtoDescriptors();
const plain = plainProto(protos);

it("compiles by itself and encodes what the original files encode", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-plain-"));
  writeFileSync(join(folder.path, "fanfare.v1.proto"), plain);
  const files = loadProtoDescriptors(folder.path).filesOf("fanfare.v1");
  expect(files).toHaveLength(1);
  const originals = protos.filesOf("fanfare.v1").filter((file) => !file.name.endsWith("/options"));
  expect(encodingOf(files)).toEqual(encodingOf(originals));
});

it("has no import and no option, and keeps bounds and features as comments", () => {
  expect(plain).not.toMatch(/^\s*(import|option) /m);
  expect(plain).not.toMatch(/^[^/]*\[/m);
  expect(plain).toContain("// Bounds: true.\n    bool broadcast = 3;");
  expect(plain).toMatch(/\/\/ Feature: hand_over\.\n\s+HandedOver handed_over = 12;/);
  expect(plain).toMatch(/reserved 10 to 13;/);
});

it("is committed as it would be made now", async () => {
  expect(await readFile(join(root, "proto/plain/fanfare.v1.proto"), "utf8")).toBe(plain);
});

/** Everything that the binary and the JSON encoding depend on, and the reserved numbers, by type name. */
function encodingOf(files: readonly DescFile[]): Record<string, unknown> {
  const messages = files.flatMap((file) =>
    file.messages.map((message) => {
      const fields = message.fields.map((field) => [
        field.name,
        field.number,
        field.proto.label,
        field.proto.type,
        field.proto.typeName,
        field.jsonName,
        field.oneof?.name,
        field.proto.proto3Optional,
      ]);
      const reserved = message.proto.reservedRange.map(({ start, end }) => [start, end]);
      return [message.typeName, { fields, reserved, names: message.proto.reservedName }] as const;
    }),
  );
  const enums = files.flatMap((file) =>
    file.enums.map((desc) => [desc.typeName, desc.values.map((value) => [value.name, value.number])] as const),
  );
  return Object.fromEntries([...messages, ...enums]);
}
