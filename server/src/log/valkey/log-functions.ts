import { functionLibrary } from "../../valkey/function-library.ts";
import { onceOnly } from "../../valkey/lua/once.ts";
import { appendFunctions } from "./lua/append.ts";
import { cursorFunctions } from "./lua/cursors.ts";
import { logState } from "./lua/log-state.ts";
import { readFunctions } from "./lua/read.ts";

/**
 * Version of the functions. What is loaded under a version never changes, so nodes of two releases use one Valkey side by side: a change of
 * the code below needs a new version, and must read and write the same keys as the version before it.
 */
const version = 5;

/** Library and function names begin with it. */
export const functionPrefix = `fanfare_log_${version}`;

/** Everything that Valkey does for the log in one step. */
export const logFunctions = functionLibrary(functionPrefix, [
  logState,
  onceOnly,
  appendFunctions,
  readFunctions,
  cursorFunctions,
]);
