import { create } from "@bufbuild/protobuf";
import { type ClientReport, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { readStreamed, type StreamForm, streamed } from "./report-stream.ts";

const ready = create(ClientReportSchema, { report: { case: "ready", value: { client: "ä one", verbs: ["connect"] } } });
const done = create(ClientReportSchema, { report: { case: "done", value: { id: 7 } } });

async function read(chunks: readonly Uint8Array[]): Promise<{ form: StreamForm | undefined; all: ClientReport[] }> {
  let form: StreamForm | undefined;
  const all: ClientReport[] = [];
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  for await (const one of readStreamed(ClientReportSchema, stream(), (seen) => {
    form = seen;
  }))
    all.push(one);
  return { form, all };
}

describe("readStreamed", () => {
  it.each(["length-prefixed", "json-lines"] as const)(
    "tells %s by its first byte, cut wherever it is",
    async (form) => {
      const bytes = Buffer.concat([ready, done].map((one) => streamed(ClientReportSchema, one, form)));
      for (const size of [1, 3, 7, bytes.length]) {
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        expect(await read(chunks)).toEqual({ form, all: [ready, done] });
      }
    },
  );

  it("ignores empty lines, carriage returns and fields that it does not know", async () => {
    const text = '{"ready":{"client":"ä one","verbs":["connect"],"mood":1}}\r\n\n{"done":{"id":7}}\n';
    expect(await read([Buffer.from(text)])).toEqual({ form: "json-lines", all: [ready, done] });
  });

  it("refuses a line that is no report", async () => {
    await expect(read([Buffer.from("{}\n{nonsense\n")])).rejects.toThrow();
  });

  it("ends with a stream that says nothing", async () => {
    expect(await read([])).toEqual({ form: undefined, all: [] });
  });
});
