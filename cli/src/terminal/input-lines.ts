import { createInterface } from "node:readline";

/** A line of standard input. */
export interface InputLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/** The lines of standard input as they come, empty ones left out but counted. Reading waits for whoever takes them. */
export async function* inputLines(): AsyncGenerator<InputLine, void, undefined> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const text of lines) {
    number++;
    if (text !== "") yield { number, text };
  }
}
