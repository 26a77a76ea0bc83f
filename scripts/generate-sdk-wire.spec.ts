import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { renderWireSchema } from "./generate-sdk-wire.ts";

it("sdk-core's wire schema is what the proto files say", async () => {
  const committed = await readFile(new URL("../sdk-core/src/wire/schema.ts", import.meta.url), "utf8");
  expect(committed).toBe(renderWireSchema());
});
