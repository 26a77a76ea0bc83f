/** A word of a Lua program. */
export interface Token {
  /** `name`, `number`, `string`, `end of text`, or the keyword or symbol itself. */
  readonly type: string;
  readonly text: string;
  /** Of a string, one character a byte; of a number, its value as JavaScript writes it. */
  readonly value: string;
  readonly line: number;
}

const keywords = new Set(
  "and break do else elseif end false for function if in local nil not or repeat return then true until while".split(
    " ",
  ),
);
/** The longer ones first. */
const symbols = "... == ~= <= >= .. + - * / % ^ # < > = ( ) { } [ ] ; : , .".split(" ");

/** Takes a Lua 5.1 program apart. Source characters are taken for bytes. @throws SyntaxError */
export function* tokensOf(source: string): Generator<Token> {
  let line = 1;
  let at = 0;
  if (source.startsWith("#")) at = source.indexOf("\n"); // `#!lua name=...`
  while (at < source.length) {
    const skipped = /^(?:\s+|--\[\[[\s\S]*?\]\]|--[^\n]*)/.exec(source.slice(at, at + 4096));
    if (skipped !== null) {
      line += countLines(skipped[0]);
      at += skipped[0].length;
      continue;
    }
    const token = tokenAt(source, at, line);
    yield token;
    line += countLines(token.text);
    at += token.text.length;
  }
  yield { type: "end of text", text: "", value: "", line };
}

function tokenAt(source: string, at: number, line: number): Token {
  const rest = source.slice(at, at + 4096);
  const name = /^[A-Za-z_]\w*/.exec(rest)?.[0];
  if (name !== undefined) return { type: keywords.has(name) ? name : "name", text: name, value: name, line };
  const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/.exec(rest)?.[0];
  if (number !== undefined) return { type: "number", text: number, value: String(Number(number)), line };
  const quote = source[at];
  if (quote === '"' || quote === "'") return stringAt(source, at, quote, line);
  if (rest.startsWith("[[")) {
    const end = source.indexOf("]]", at);
    const text = source.slice(at, end + 2);
    return { type: "string", text, value: text.slice(2, -2).replace(/^\n/, ""), line };
  }
  const symbol = symbols.find((one) => rest.startsWith(one));
  if (symbol === undefined) throw new SyntaxError(`line ${line}: unexpected ${JSON.stringify(quote)}`);
  return { type: symbol, text: symbol, value: symbol, line };
}

const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b", f: "\f", v: "\v" };

function stringAt(source: string, start: number, quote: string, line: number): Token {
  let value = "";
  let at = start + 1;
  while (source[at] !== quote) {
    const char = source[at];
    if (char === undefined || char === "\n") throw new SyntaxError(`line ${line}: a string without end`);
    if (char !== "\\") {
      value += char;
      at++;
      continue;
    }
    const decimal = /^\d{1,3}/.exec(source.slice(at + 1, at + 4))?.[0];
    const escaped = source[at + 1] ?? "";
    value += decimal === undefined ? (escapes[escaped] ?? escaped) : String.fromCharCode(Number(decimal));
    at += 1 + (decimal?.length ?? 1);
  }
  return { type: "string", text: source.slice(start, at + 1), value, line };
}

function countLines(text: string): number {
  return text.split("\n").length - 1;
}
