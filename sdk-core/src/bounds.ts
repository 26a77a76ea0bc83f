import { FanfareError } from "./error.ts";
import { ErrorCode } from "./wire/schema.ts";

const utf8 = /*@__PURE__*/ new TextEncoder();

/** Whether a text is longer than `most` bytes of UTF-8; counted exactly only if it may be. */
export function isLonger(value: string, most: number): boolean {
  return value.length * 3 > most && utf8.encode(value).length > most;
}

/** Throws INVALID_ARGUMENT if a number is not a whole one from 0 to `most`. Undefined is left out and so always right. */
export function checkNumber(field: string, value: number | undefined, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= most)) return;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} has to be a whole number from 0 to ${most}`, { field });
}

/** Throws INVALID_ARGUMENT if a text is longer than `most` bytes of UTF-8. */
export function checkText(field: string, value: string | undefined, most: number): void {
  if (value === undefined || !isLonger(value, most)) return;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} is longer than ${most} bytes`, { field });
}

const names = /^[\w\-.:@/+=~]*$/;

/** Throws INVALID_ARGUMENT if a name is longer than `most`, shorter than `least`, or has other characters than names have. */
export function checkName(field: string, value: string, most: number, least = 1): void {
  if (names.test(value) && value.length <= most && value.length >= least) return;
  const message = `"${value}" has to be ${least} to ${most} of A-Z a-z 0-9 _ - . : @ / + = ~`;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field });
}

/** The beginning of a text, at most `most` bytes of UTF-8. */
export function shortened(value: string, most: number): string {
  let end = Math.min(value.length, most);
  while (isLonger(value.slice(0, end), most)) end--;
  return value.slice(0, end);
}
