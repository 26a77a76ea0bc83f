import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./packages.ts";
import { loadProtoDescriptors } from "./proto-descriptors.ts";
import { referencePages } from "./protocol-reference.ts";

const protos = loadProtoDescriptors();
const pages = referencePages(protos);
const page = (name: string) => pages.find(({ path }) => path.endsWith(`/${name}.md`))?.content ?? "";

describe("the reference", () => {
  it("gives a field its type, bounds and comment", () => {
    expect(page("protocol")).toMatch(/^\| `seq` = 3 \| uint64 \| 1 to 9007199254740991 \| The number of this publish/m);
    expect(page("protocol")).toMatch(/^\| `hand_over` = 3 \| bool \| {2}\| .*\*Feature `hand_over`\.\*/m);
  });

  it("names every message, enum and call", () => {
    for (const [name, packageName] of [
      ["protocol", "fanfare.v1"],
      ["control", "fanfare.control.v1"],
      ["config", "fanfare.config.v1"],
    ] as const) {
      for (const file of protos.filesOf(packageName)) {
        for (const { name: type } of [...file.messages, ...file.enums]) expect(page(name)).toContain(`\n### ${type}\n`);
        for (const method of file.services.flatMap((service) => service.methods)) {
          expect(page(name)).toContain(`| \`${method.name}\` |`);
        }
      }
    }
  });

  it("links only to headings that exist", () => {
    for (const { path, content } of pages) {
      for (const [, file = "", anchor = ""] of content.matchAll(/\]\(([a-z]+\.md)?#([a-z0-9]+)\)/g)) {
        const target = file === "" ? content : page(file.replace(".md", ""));
        expect(target.toLowerCase(), `${path}: ${file}#${anchor}`).toContain(`\n### ${anchor}\n`);
      }
    }
  });

  it("leaves nothing without a comment but the zero value of an enum", () => {
    for (const file of protos.filesOf("fanfare.v1")) {
      for (const message of file.messages) {
        for (const desc of [message, ...message.members, ...message.fields]) {
          expect(protos.comment(desc), desc.toString()).not.toBe("");
        }
      }
      for (const value of file.enums.flatMap((desc) => desc.values)) {
        if (value.number !== 0) expect(protos.comment(value), value.toString()).not.toBe("");
      }
    }
  });

  it("is committed as it would be made now", async () => {
    for (const { path, content } of pages) expect(await readFile(join(root, path), "utf8"), path).toBe(content);
  });
});
