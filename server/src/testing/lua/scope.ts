/** The names that a Lua program may use without declaring them. */
export const globalNames: ReadonlySet<string> = new Set(
  "assert error ipairs next pairs pcall select tonumber tostring type unpack math string table server redis KEYS ARGV".split(
    " ",
  ),
);

/** Which JavaScript variables stand for the local variables of a program, and those that its functions need besides. */
export class Scope {
  readonly #blocks: Map<string, string>[] = [new Map()];
  /** Variables for intermediate values, of the function being compiled and those around it. */
  readonly #temporaries: string[][] = [[]];
  #count = 0;

  enter(): void {
    this.#blocks.push(new Map());
  }

  leave(): void {
    this.#blocks.pop();
  }

  enterFunction(): void {
    this.enter();
    this.#temporaries.push([]);
  }

  /** @returns the declaration of the function's variables for intermediate values */
  leaveFunction(): string {
    this.leave();
    return declarationOf(this.#temporaries.pop() ?? []);
  }

  /** The same for the program as a whole. */
  get outermost(): string {
    return declarationOf(this.#temporaries[0] ?? []);
  }

  /** Declares a local variable from here on. @returns what it is called in JavaScript */
  declare(name: string): string {
    const variable = `${name}$${++this.#count}`;
    this.#blocks.at(-1)?.set(name, variable);
    return variable;
  }

  /** Lets a name stand for a variable that was declared otherwise. */
  alias(name: string, variable: string): void {
    this.#blocks.at(-1)?.set(name, variable);
  }

  /** A name for a variable that the compiled code declares by itself. */
  fresh(): string {
    return `$${++this.#count}`;
  }

  temporary(): string {
    const name = this.fresh();
    this.#temporaries.at(-1)?.push(name);
    return name;
  }

  /** What a local variable is called; undefined if there is none. */
  find(name: string): string | undefined {
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const variable = this.#blocks[i]?.get(name);
      if (variable !== undefined) return variable;
    }
    return undefined;
  }
}

function declarationOf(names: readonly string[]): string {
  return names.length === 0 ? "" : `let ${names.join(", ")};`;
}
