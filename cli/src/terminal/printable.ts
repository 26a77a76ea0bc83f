const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text of somebody else, safe on a terminal and in one line: control characters and direction marks become escapes. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return escapes[character] ?? `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
