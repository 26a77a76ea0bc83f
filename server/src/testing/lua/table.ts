/** Whatever a Lua program handles. Nil is undefined; a string has one character a byte. */
export type LuaValue = undefined | boolean | number | string | LuaTable | LuaFunction;

/** A function: any number of arguments and results. */
export type LuaFunction = (...args: LuaValue[]) => readonly LuaValue[];

/** A table of Lua: what has the keys 1, 2, 3, ... lies in an array. */
export class LuaTable {
  /** Values of the keys from 1 on. The last one is not nil. */
  readonly array: LuaValue[];
  /** Made when the first comes: most tables are lists. */
  #rest: Map<LuaValue, LuaValue> | undefined;

  /** @param array becomes the table's own */
  constructor(array: LuaValue[] = []) {
    this.array = array;
    this.#trim();
  }

  get(key: LuaValue): LuaValue {
    if (typeof key === "number" && key >= 1 && key <= this.array.length && Number.isInteger(key))
      return this.array[key - 1];
    return this.#rest?.get(key);
  }

  set(key: LuaValue, value: LuaValue): void {
    if (typeof key === "number" && Number.isInteger(key) && key >= 1 && key <= this.array.length + 1) {
      this.#setElement(key, value);
    } else if (value === undefined) this.#rest?.delete(key);
    else if (key === undefined) throw new TypeError("index is nil");
    else {
      this.#rest ??= new Map();
      this.#rest.set(key, value);
    }
  }

  /** The border that `#` finds. */
  get length(): number {
    return this.array.length;
  }

  /** The pairs as `next` goes through them. */
  *pairs(): Generator<readonly [LuaValue, LuaValue]> {
    for (const [i, value] of this.array.entries()) if (value !== undefined) yield [i + 1, value];
    if (this.#rest !== undefined) yield* this.#rest;
  }

  #setElement(key: number, value: LuaValue): void {
    if (key <= this.array.length) {
      this.array[key - 1] = value;
      this.#trim();
      return;
    }
    if (value === undefined) return;
    this.array.push(value);
    const rest = this.#rest;
    if (rest === undefined || rest.size === 0) return;
    for (let next = key + 1; rest.has(next); next++) {
      this.array.push(rest.get(next));
      rest.delete(next);
    }
  }

  #trim(): void {
    const { array } = this;
    while (array.length > 0 && array[array.length - 1] === undefined) array.pop();
  }
}
