/** What classes of Lua's patterns are in a regular expression's set. */
const classes: Record<string, string> = {
  a: "A-Za-z",
  c: "\\x00-\\x1f\\x7f",
  d: "0-9",
  l: "a-z",
  s: "\\t-\\r ",
  u: "A-Z",
  w: "A-Za-z0-9",
  x: "0-9A-Fa-f",
};

const compiled = new Map<string, RegExp>();
/** Patterns are part of programs, so there are few of them. */
const maxCompiled = 1000;

/** A pattern of Lua as a regular expression; captures by number. Without `%b`, `%f` and back references. @throws SyntaxError */
export function patternOf(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (compiled.size >= maxCompiled) compiled.clear();
  const made = new RegExp(translate(pattern), "s");
  compiled.set(pattern, made);
  return made;
}

function translate(pattern: string): string {
  let at = 0;
  let regular = "";
  const isAnchored = pattern.startsWith("^");
  if (isAnchored) {
    regular += "^";
    at++;
  }
  while (at < pattern.length) {
    const char = pattern[at] as string;
    if (char === "(" || char === ")") {
      if (char === "(" && pattern[at + 1] === ")") throw new SyntaxError("position captures are not known here");
      regular += char;
      at++;
    } else if (char === "$" && at === pattern.length - 1) {
      regular += "$";
      at++;
    } else {
      const [single, length] = singleAt(pattern, at);
      at += length;
      const repeat = pattern[at] ?? "";
      if (repeat !== "" && "*+-?".includes(repeat)) {
        regular += single + (repeat === "-" ? "*?" : repeat);
        at++;
      } else regular += single;
    }
  }
  return regular;
}

/** One character class and its length in the pattern. */
function singleAt(pattern: string, at: number): [string, number] {
  const char = pattern[at] as string;
  if (char === ".") return [".", 1];
  if (char === "%") return [classOf(pattern[at + 1]), 2];
  if (char !== "[") return [escaped(char), 1];
  let end = at + 1;
  let set = "";
  if (pattern[end] === "^") {
    set = "^";
    end++;
  }
  for (let first = true; first || pattern[end] !== "]"; first = false) {
    if (pattern[end] === undefined) throw new SyntaxError(`a set without end: ${pattern}`);
    if (pattern[end] === "%") {
      set += innerClassOf(pattern[end + 1]);
      end += 2;
    } else if (pattern[end + 1] === "-" && pattern[end + 2] !== "]") {
      set += `${escaped(pattern[end] as string)}-${escaped(pattern[end + 2] as string)}`;
      end += 3;
    } else {
      set += escaped(pattern[end] as string);
      end++;
    }
  }
  return [`[${set}]`, end + 1 - at];
}

function classOf(letter: string | undefined): string {
  const inner = classes[(letter ?? "").toLowerCase()];
  if (inner === undefined) return plain(letter);
  return letter === letter?.toLowerCase() ? `[${inner}]` : `[^${inner}]`;
}

function innerClassOf(letter: string | undefined): string {
  return classes[letter ?? ""] ?? plain(letter);
}

function plain(letter: string | undefined): string {
  if (letter === undefined || /[A-Za-z0-9]/.test(letter)) throw new SyntaxError(`%${letter} is not known here`);
  return escaped(letter);
}

function escaped(char: string): string {
  return /[A-Za-z0-9 _]/.test(char) ? char : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
