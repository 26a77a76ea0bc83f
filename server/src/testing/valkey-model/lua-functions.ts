import { compileLua, type LuaProgram } from "../lua/compiler.ts";
import { LuaError, operators } from "../lua/operators.ts";
import { library, standardLibrary } from "../lua/standard-library.ts";
import { type LuaFunction, LuaTable, type LuaValue } from "../lua/table.ts";
import { ErrorReply, type ModelReply, Status } from "./reply.ts";

/** Carries out a command that a program calls. */
export type CallCommand = (command: readonly string[]) => ModelReply;

/** Programs are compiled once a process, whatever runs there. */
const programs = new Map<string, LuaProgram>();
const standard = standardLibrary();

/** The functions that are loaded into a server, and its scripts. They run as they were written, compiled to JavaScript. */
export class LuaFunctions {
  readonly #call: CallCommand;
  readonly #libraries = new Map<string, ReadonlyMap<string, LuaFunction>>();
  /** Of all libraries. */
  #functions = new Map<string, LuaFunction>();
  readonly #sources = new Map<string, string>();

  constructor(call: CallCommand) {
    this.#call = call;
  }

  /** What is loaded, by name. */
  get sources(): ReadonlyMap<string, string> {
    return this.#sources;
  }

  /** As `FUNCTION LOAD`. */
  load(source: string, replaces: boolean): ModelReply {
    const name = /^#!lua name=(\w+)/.exec(source)?.[1];
    if (name === undefined) return new ErrorReply("ERR", "Missing library metadata");
    if (this.#libraries.has(name) && !replaces) return new ErrorReply("ERR", `Library '${name}' already exists`);
    const functions = new Map<string, LuaFunction>();
    const register: LuaFunction = (first, callback) => {
      const [key, value] =
        first instanceof LuaTable ? [first.get("function_name"), first.get("callback")] : [first, callback];
      functions.set(operators.str(key), operators.fn(value, "the callback"));
      return [];
    };
    programOf(source)({ ...standard, ...this.#servers({ register_function: register }) });
    this.#libraries.set(name, functions);
    this.#functions = new Map([...this.#libraries.values()].flatMap((library) => [...library]));
    this.#sources.set(name, source);
    return name;
  }

  /** As `FCALL`. */
  call(name: string, keys: readonly string[], args: readonly string[]): ModelReply {
    const found = this.#functions.get(name);
    if (found === undefined) return new ErrorReply("ERR", "Function not found");
    return this.#run(() => found(new LuaTable([...keys]), new LuaTable([...args])));
  }

  /** As `EVAL`. */
  evaluate(source: string, keys: readonly string[], args: readonly string[]): ModelReply {
    const globals = { KEYS: new LuaTable([...keys]), ARGV: new LuaTable([...args]) };
    return this.#run(() => programOf(source)({ ...standard, ...this.#servers({}), ...globals }));
  }

  clear(): void {
    this.#libraries.clear();
    this.#functions.clear();
    this.#sources.clear();
  }

  #run(program: () => readonly LuaValue[]): ModelReply {
    try {
      return replyOf(program()[0]);
    } catch (reason) {
      if (!(reason instanceof LuaError)) throw reason;
      return reason.value instanceof LuaTable ? replyOf(reason.value) : new ErrorReply("ERR", reason.message);
    }
  }

  /** What programs know as `server` and as `redis`. */
  #servers(more: Readonly<Record<string, LuaFunction>>): Record<string, LuaValue> {
    const send = (args: readonly LuaValue[]) => this.#call(args.map(textOfArgument));
    const functions: Record<string, LuaFunction> = {
      call: (...args) => {
        const reply = send(args);
        if (reply instanceof ErrorReply) throw new LuaError(luaValueOf(reply));
        return [luaValueOf(reply)];
      },
      pcall: (...args) => [luaValueOf(send(args))],
      status_reply: (text) => [operators.table([], [["ok", text]])],
      error_reply: (text) => [operators.table([], [["err", text]])],
      ...more,
    };
    const server = library(functions);
    return { server, redis: server };
  }
}

function programOf(source: string): LuaProgram {
  let program = programs.get(source);
  if (program === undefined) {
    program = compileLua(source);
    programs.set(source, program);
  }
  return program;
}

/** Numbers are passed as Valkey passes them: whole ones without a point. */
function textOfArgument(value: LuaValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value).toString() : String(value);
  throw new LuaError("Command arguments must be strings or integers");
}

function luaValueOf(reply: ModelReply): LuaValue {
  if (reply === null) return false;
  if (typeof reply === "number" || typeof reply === "string") return reply;
  if (reply instanceof Status) return operators.table([], [["ok", reply.text]]);
  if (reply instanceof ErrorReply) return operators.table([], [["err", reply.text]]);
  return new LuaTable(reply.map(luaValueOf));
}

function replyOf(value: LuaValue): ModelReply {
  if (value === undefined || value === false) return null;
  if (value === true) return 1;
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "string") return value;
  if (typeof value === "function") return null;
  const error = value.get("err");
  if (error !== undefined) return errorReplyOf(operators.str(error));
  const status = value.get("ok");
  if (status !== undefined) return new Status(operators.str(status));
  const end = value.array.indexOf(undefined);
  return (end < 0 ? value.array : value.array.slice(0, end)).map(replyOf);
}

function errorReplyOf(text: string): ErrorReply {
  const found = /^-?([A-Z]+) (.*)$/s.exec(text);
  return found === null ? new ErrorReply("ERR", text) : new ErrorReply(found[1] as string, found[2] as string);
}
