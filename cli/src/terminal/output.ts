import { styleText } from "node:util";

/** How a word stands out where colours are shown. */
export type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** What a command prints: results on standard output, everything else on standard error. */
export class Output {
  /** One JSON object a line instead of text for people. */
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** A line of the result. */
  line(text = ""): void {
    process.stdout.write(`${text}\n`);
  }

  /** A result for machines: one line of JSON. */
  object(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A line about what goes on, for people. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Text of the result, with a style where standard output shows colours (NO_COLOR and FORCE_COLOR are obeyed). */
  styled(style: Style, text: string): string {
    return styleText(style, text, { stream: process.stdout });
  }
}
