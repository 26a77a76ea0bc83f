import { InvalidArgumentError } from "commander";

/** Reads the value of an option that counts something. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("It has to be a whole number from 1 on.");
}
