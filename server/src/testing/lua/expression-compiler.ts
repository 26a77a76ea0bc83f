import { globalNames, type Scope } from "./scope.ts";
import type { TokenStream } from "./token-stream.ts";

/** An expression in JavaScript. */
export interface Expression {
  readonly code: string;
  /** Of which type its value certainly is. `several`: its code makes an array of values. */
  readonly type?: "several" | "number" | "string" | "boolean";
  /** What is called, for errors. */
  readonly name?: string;
  /** It can be assigned to: code of the assignment of a value's code. */
  readonly assign?: (value: string) => string;
}

/** Binding powers of binary operators: to the left, and to the right. */
const powers: Record<string, readonly [number, number]> = {
  or: [1, 1],
  and: [2, 2],
  "<": [3, 3],
  ">": [3, 3],
  "<=": [3, 3],
  ">=": [3, 3],
  "~=": [3, 3],
  "==": [3, 3],
  "..": [5, 4],
  "+": [6, 6],
  "-": [6, 6],
  "*": [7, 7],
  "/": [7, 7],
  "%": [7, 7],
  "^": [10, 9],
};
const unaryPower = 8;

/** Compiles expressions of Lua to JavaScript. What they call is described in `operators.ts`. */
export class ExpressionCompiler {
  readonly #tokens: TokenStream;
  readonly #scope: Scope;
  readonly #functionBody: () => string;

  /** @param functionBody compiles what follows the word `function`, from its parameters to its end */
  constructor(tokens: TokenStream, scope: Scope, functionBody: () => string) {
    this.#tokens = tokens;
    this.#scope = scope;
    this.#functionBody = functionBody;
  }

  expression(power = 0): Expression {
    let left = this.#operand();
    for (;;) {
      const operator = this.#tokens.next.type;
      const [toLeft, toRight] = powers[operator] ?? [0, 0];
      if (toLeft <= power) return left;
      this.#tokens.take();
      left = this.#binary(operator, left, this.expression(toRight));
    }
  }

  /** Expressions with commas between. */
  list(): Expression[] {
    const all = [this.expression()];
    while (this.#tokens.takeIf(",")) all.push(this.expression());
    return all;
  }

  /** A name, with whatever is taken from it and called. */
  suffixed(): Expression {
    let left = this.#primary();
    for (;;) {
      const next = this.#tokens.next;
      switch (next.type) {
        case ".": {
          this.#tokens.take();
          left = indexed(left, JSON.stringify(this.#tokens.demand("name").text));
          break;
        }
        case "[": {
          this.#tokens.take();
          const key = single(this.expression());
          this.#tokens.demand("]");
          left = indexed(left, key);
          break;
        }
        case "(":
        case "string":
        case "{":
          left = this.#call(left);
          break;
        default:
          return left;
      }
    }
  }

  #operand(): Expression {
    const { type, value, line } = this.#tokens.next;
    switch (type) {
      case "not":
        this.#tokens.take();
        return { code: `!${condition(this.expression(unaryPower))}`, type: "boolean" };
      case "-":
        this.#tokens.take();
        return { code: `(-${number(this.expression(unaryPower))})`, type: "number" };
      case "#":
        this.#tokens.take();
        return { code: `len(${single(this.expression(unaryPower))})`, type: "number" };
      case "number":
        this.#tokens.take();
        return { code: value, type: "number" };
      case "string":
        this.#tokens.take();
        return { code: JSON.stringify(value), type: "string" };
      case "nil":
        this.#tokens.take();
        return { code: "undefined" };
      case "true":
      case "false":
        this.#tokens.take();
        return { code: type, type: "boolean" };
      case "...": {
        this.#tokens.take();
        const variable = this.#scope.find("...");
        if (variable === undefined) throw new SyntaxError(`line ${line}: ... outside of a function that takes it`);
        return { code: variable, type: "several" };
      }
      case "{":
        return this.#table();
      case "function":
        this.#tokens.take();
        return { code: this.#functionBody() };
      default:
        return this.suffixed();
    }
  }

  #primary(): Expression {
    const { type, text, line } = this.#tokens.take();
    if (type === "(") {
      const inner = this.expression();
      this.#tokens.demand(")");
      return inner.type === "several" ? { code: single(inner) } : { ...inner, code: `(${inner.code})` };
    }
    if (type !== "name") throw new SyntaxError(`line ${line}: unexpected "${text}"`);
    const variable = this.#scope.find(text);
    if (variable !== undefined) return { code: variable, name: text, assign: (value) => `${variable} = ${value}` };
    if (globalNames.has(text)) return { code: `env.${text}`, name: text };
    throw new SyntaxError(`line ${line}: the global variable ${text} does not exist`);
  }

  #call(callee: Expression): Expression {
    const { type, value } = this.#tokens.next;
    let args: Expression[] = [];
    if (type === "string") {
      this.#tokens.take();
      args = [{ code: JSON.stringify(value), type: "string" }];
    } else if (type === "{") args = [this.#table()];
    else {
      this.#tokens.demand("(");
      if (this.#tokens.next.type !== ")") args = this.list();
      this.#tokens.demand(")");
    }
    const name = callee.name ?? "a value";
    return { code: `fn(${single(callee)}, ${JSON.stringify(name)})(${values(args)})`, type: "several" };
  }

  #table(): Expression {
    this.#tokens.demand("{");
    const elements: Expression[] = [];
    const pairs: string[] = [];
    while (!this.#tokens.takeIf("}")) {
      const { next, second } = this.#tokens;
      if (next.type === "[") {
        this.#tokens.take();
        const key = single(this.expression());
        this.#tokens.demand("]");
        this.#tokens.demand("=");
        pairs.push(`[${key}, ${single(this.expression())}]`);
      } else if (next.type === "name" && second?.type === "=") {
        this.#tokens.take();
        this.#tokens.take();
        pairs.push(`[${JSON.stringify(next.text)}, ${single(this.expression())}]`);
      } else elements.push(this.expression());
      if (!this.#tokens.takeIf(",") && !this.#tokens.takeIf(";") && this.#tokens.next.type !== "}") {
        this.#tokens.demand("}");
      }
    }
    if (pairs.length === 0) return { code: `new LuaTable([${values(elements)}])` };
    return { code: `table([${values(elements)}], [${pairs.join(", ")}])` };
  }

  #binary(operator: string, left: Expression, right: Expression): Expression {
    switch (operator) {
      case "and":
      case "or": {
        const kept = this.#scope.temporary();
        const isTrue = left.type === "boolean" ? `(${kept} = ${left.code})` : `truthy(${kept} = ${single(left)})`;
        const [whenTrue, whenFalse] = operator === "and" ? [single(right), kept] : [kept, single(right)];
        const code = `(${isTrue} ? ${whenTrue} : ${whenFalse})`;
        return left.type === "boolean" && right.type === "boolean" ? { code, type: "boolean" } : { code };
      }
      case "==":
        return { code: `(${single(left)} === ${single(right)})`, type: "boolean" };
      case "~=":
        return { code: `(${single(left)} !== ${single(right)})`, type: "boolean" };
      case "<":
        return { code: `lt(${single(left)}, ${single(right)})`, type: "boolean" };
      case ">":
        return { code: `lt(${single(right)}, ${single(left)})`, type: "boolean" };
      case "<=":
        return { code: `le(${single(left)}, ${single(right)})`, type: "boolean" };
      case ">=":
        return { code: `le(${single(right)}, ${single(left)})`, type: "boolean" };
      case "..":
        return { code: `(${text(left)} + ${text(right)})`, type: "string" };
      case "%":
        return { code: `mod(${number(left)}, ${number(right)})`, type: "number" };
      case "^":
        return { code: `(${number(left)} ** ${number(right)})`, type: "number" };
      default:
        return { code: `(${number(left)} ${operator} ${number(right)})`, type: "number" };
    }
  }
}

/** The first value of an expression. */
export function single({ code, type }: Expression): string {
  return type === "several" ? `${code}[0]` : code;
}

/** Whether an expression is true. */
export function condition(expression: Expression): string {
  return expression.type === "boolean" ? `(${expression.code})` : `truthy(${single(expression)})`;
}

/** Values of expressions one after the other: one of each, and all of the last. */
export function values(expressions: readonly Expression[]): string {
  return expressions
    .map((one, i) => (one.type === "several" && i === expressions.length - 1 ? `...${one.code}` : single(one)))
    .join(", ");
}

/** As an operand of arithmetic. */
export function number(expression: Expression): string {
  return expression.type === "number" ? expression.code : `num(${single(expression)})`;
}

function text(expression: Expression): string {
  return expression.type === "string" ? expression.code : `str(${single(expression)})`;
}

function indexed(table: Expression, key: string): Expression {
  const of = single(table);
  return {
    code: `index(${of}, ${key})`,
    name: `${table.name ?? ""}[${key}]`,
    assign: (value) => `setIndex(${of}, ${key}, ${value})`,
  };
}
