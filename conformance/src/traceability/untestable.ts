import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Untestable } from "./coverage.ts";

const file = new URL("../../requirements/untestable.yaml", import.meta.url);

/** Requirements that no case can show to be kept, by side. */
export function readUntestable(): Record<"client" | "server", Untestable[]> {
  return parse(readFileSync(file, "utf8")) as Record<"client" | "server", Untestable[]>;
}
