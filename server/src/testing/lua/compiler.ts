import { condition, type Expression, ExpressionCompiler, number, single, values } from "./expression-compiler.ts";
import { operators } from "./operators.ts";
import { Scope } from "./scope.ts";
import type { LuaValue } from "./table.ts";
import { TokenStream } from "./token-stream.ts";

/** A compiled program: runs it in an environment, by the names of its global variables. */
export type LuaProgram = (environment: Readonly<Record<string, LuaValue>>) => readonly LuaValue[];

/**
 * Compiles a program of Lua 5.1 to JavaScript, which runs it many times as fast as an interpreter in JavaScript would. Not known are: methods
 * (`a:b()`), metatables, coroutines, `goto`, and global variables but those of `scope.ts`.
 * @throws SyntaxError
 */
export function compileLua(source: string): LuaProgram {
  const code = new LuaCompiler(source).program();
  const make = new Function(...Object.keys(operators), `"use strict"; return (env) => {${code}};`);
  return make(...Object.values(operators)) as LuaProgram;
}

/** What ends a block. */
const blockEnds = new Set(["end", "else", "elseif", "until", "end of text"]);

class LuaCompiler {
  readonly #tokens: TokenStream;
  readonly #scope = new Scope();
  readonly #expressions: ExpressionCompiler;

  constructor(source: string) {
    this.#tokens = new TokenStream(source);
    this.#expressions = new ExpressionCompiler(this.#tokens, this.#scope, () => this.#function());
  }

  program(): string {
    const body = this.#block();
    this.#tokens.demand("end of text");
    return `${this.#scope.outermost}${body} return [];`;
  }

  /** Statements in a scope of their own. */
  #block(): string {
    this.#scope.enter();
    const code = this.#statements();
    this.#scope.leave();
    return code;
  }

  #statements(): string {
    const all: string[] = [];
    while (!blockEnds.has(this.#tokens.next.type)) {
      all.push(this.#statement());
      this.#tokens.takeIf(";");
    }
    return all.join("\n");
  }

  #statement(): string {
    switch (this.#tokens.next.type) {
      case "local":
        return this.#local();
      case "if":
        return this.#if();
      case "while": {
        this.#tokens.take();
        const test = condition(this.#expressions.expression());
        this.#tokens.demand("do");
        return `while (${test}) {${this.#endedBlock()}}`;
      }
      case "repeat":
        return this.#repeat();
      case "for":
        return this.#for();
      case "do":
        this.#tokens.take();
        return `{${this.#endedBlock()}}`;
      case "return":
        return this.#return();
      case "break":
        this.#tokens.take();
        return "break;";
      default:
        return this.#expressionStatement();
    }
  }

  #endedBlock(): string {
    const code = this.#block();
    this.#tokens.demand("end");
    return code;
  }

  #local(): string {
    this.#tokens.demand("local");
    if (this.#tokens.takeIf("function")) {
      const variable = this.#scope.declare(this.#tokens.demand("name").text);
      return `const ${variable} = ${this.#function()};`;
    }
    const names = [this.#tokens.demand("name").text];
    while (this.#tokens.takeIf(",")) names.push(this.#tokens.demand("name").text);
    const given = this.#tokens.takeIf("=") ? this.#expressions.list() : [];
    // They are declared behind the values: those may name variables that these hide.
    if (given.length === names.length) {
      const codes = given.map(single);
      return `let ${names.map((name, i) => `${this.#scope.declare(name)} = ${codes[i]}`).join(", ")};`;
    }
    const variables = names.map((name) => this.#scope.declare(name));
    return `let [${variables.join(", ")}] = [${values(given)}];`;
  }

  #if(): string {
    this.#tokens.demand("if");
    const test = condition(this.#expressions.expression());
    this.#tokens.demand("then");
    let code = `if (${test}) {${this.#block()}}`;
    for (;;) {
      const { type } = this.#tokens.take();
      if (type === "end") return code;
      if (type === "else") return `${code} else {${this.#endedBlock()}}`;
      const other = condition(this.#expressions.expression());
      this.#tokens.demand("then");
      code += ` else if (${other}) {${this.#block()}}`;
    }
  }

  #repeat(): string {
    this.#tokens.demand("repeat");
    this.#scope.enter();
    const body = this.#statements();
    this.#tokens.demand("until");
    const test = condition(this.#expressions.expression());
    this.#scope.leave();
    return `while (true) {${body} if (${test}) break;}`;
  }

  #for(): string {
    this.#tokens.demand("for");
    const names = [this.#tokens.demand("name").text];
    if (this.#tokens.takeIf("=")) return this.#numericFor(names[0] as string);
    while (this.#tokens.takeIf(",")) names.push(this.#tokens.demand("name").text);
    this.#tokens.demand("in");
    const source = values(this.#expressions.list());
    this.#tokens.demand("do");
    this.#scope.enter();
    const [next, state, control, got] = [
      this.#scope.fresh(),
      this.#scope.fresh(),
      this.#scope.fresh(),
      this.#scope.fresh(),
    ];
    const variables = names.map((name) => this.#scope.declare(name));
    const body = this.#statements();
    this.#scope.leave();
    this.#tokens.demand("end");
    return (
      `{let [${next}, ${state}, ${control}] = [${source}]; while (true) {` +
      `const ${got} = fn(${next}, "the iterator")(${state}, ${control}); ${control} = ${got}[0];` +
      `if (${control} === undefined) break; let [${variables.join(", ")}] = ${got}; ${body}}}`
    );
  }

  #numericFor(name: string): string {
    const [from, to, step] = this.#expressions.list().map(number);
    this.#tokens.demand("do");
    this.#scope.enter();
    const variable = this.#scope.declare(name);
    const [at, end, by] = [this.#scope.fresh(), this.#scope.fresh(), this.#scope.fresh()];
    const body = this.#statements();
    this.#scope.leave();
    this.#tokens.demand("end");
    const head = `let ${at} = ${from}, ${end} = ${to}, ${by} = ${step ?? 1}`;
    return `for (${head}; ${by} > 0 ? ${at} <= ${end} : ${at} >= ${end}; ${at} += ${by}) {let ${variable} = ${at}; ${body}}`;
  }

  #return(): string {
    this.#tokens.demand("return");
    const isEmpty = blockEnds.has(this.#tokens.next.type) || this.#tokens.next.type === ";";
    const given = isEmpty ? [] : this.#expressions.list();
    this.#tokens.takeIf(";");
    const [only] = given;
    return given.length === 1 && only?.type === "several" ? `return ${only.code};` : `return [${values(given)}];`;
  }

  #expressionStatement(): string {
    const targets: Expression[] = [this.#expressions.suffixed()];
    const [first] = targets as [Expression];
    const { next } = this.#tokens;
    if (next.type !== "=" && next.type !== ",") {
      if (first.type === "several") return `${first.code};`;
      throw new SyntaxError(`line ${next.line}: unexpected "${next.text}"`);
    }
    while (this.#tokens.takeIf(",")) targets.push(this.#expressions.suffixed());
    this.#tokens.demand("=");
    const given = this.#expressions.list();
    if (targets.length === 1 && given.length === 1)
      return `${assignment(first, single(given[0] as Expression), next.line)};`;
    const all = this.#scope.temporary();
    const assignments = targets.map((target, i) => `${assignment(target, `${all}[${i}]`, next.line)};`);
    return `${all} = [${values(given)}]; ${assignments.join(" ")}`;
  }

  /** From the parameters to the end. */
  #function(): string {
    this.#tokens.demand("(");
    this.#scope.enterFunction();
    const parameters: string[] = [];
    while (!this.#tokens.takeIf(")")) {
      if (this.#tokens.takeIf("...")) {
        const variable = this.#scope.fresh();
        this.#scope.alias("...", variable);
        parameters.push(`...${variable}`);
      } else parameters.push(this.#scope.declare(this.#tokens.demand("name").text));
      this.#tokens.takeIf(",");
    }
    const body = this.#statements();
    this.#tokens.demand("end");
    const temporaries = this.#scope.leaveFunction();
    return `((${parameters.join(", ")}) => {${temporaries}${body} return [];})`;
  }
}

function assignment({ assign }: Expression, value: string, line: number): string {
  if (assign === undefined) throw new SyntaxError(`line ${line}: this cannot be assigned to`);
  return assign(value);
}
