import type { Database, Value } from "../database.ts";
import { type ErrorReply, type ModelReply, notAnInteger, wrongType } from "../reply.ts";

/** Carries a command out. `args` are without its name. What it changes it tells the database. */
export type CommandAction = (database: Database, args: readonly string[]) => ModelReply;

/** A command of the model. */
export interface ModelCommand {
  readonly run: CommandAction;
  /** Its arguments that are keys. */
  readonly keys: (args: readonly string[]) => readonly string[];
  /** It changes something, so that replicas refuse it. */
  readonly isWrite: boolean;
}

const firstIsKey = (args: readonly string[]): readonly string[] => args.slice(0, 1);
export const allAreKeys = (args: readonly string[]): readonly string[] => args;

export function reading(run: CommandAction, keys = firstIsKey): ModelCommand {
  return { run, keys, isWrite: false };
}

export function writing(run: CommandAction, keys = firstIsKey): ModelCommand {
  return { run, keys, isWrite: true };
}

/** Thrown to answer a command with an error. */
export class CommandError extends Error {
  readonly reply: ErrorReply;

  constructor(reply: ErrorReply) {
    super(reply.text);
    this.reply = reply;
  }
}

/** The value of a key, if it is of a type. @throws CommandError WRONGTYPE */
export function typedValue<T extends Value>(
  database: Database,
  key: string | undefined,
  isOfType: (value: Value) => value is T,
): T | undefined {
  const value = database.get(key ?? "");
  if (value === undefined || isOfType(value)) return value;
  throw new CommandError(wrongType);
}

/** @throws CommandError if it is no whole number */
export function integerOf(text: string | undefined): number {
  if (text !== undefined && /^-?\d{1,19}$/.test(text)) return Number(text);
  throw new CommandError(notAnInteger);
}
