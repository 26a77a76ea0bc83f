import { createInterface } from "node:readline";

/** The lines of standard input as they come, empty ones left out. Reading waits for whoever takes them. */
export async function* inputLines(): AsyncGenerator<string, void, undefined> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) if (line !== "") yield line;
}
