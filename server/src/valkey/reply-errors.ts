/**
 * An error that the server gave, as against a timeout, a lost connection or whatever else the client library made up: after those the command
 * may have been carried out. GLIDE tells the two apart by nothing but its words: `OOM: ...`, with the server's code, or `An error was signalled
 * by the server: ...`.
 */
function isServerError(reason: unknown): reason is Error {
  return reason instanceof Error && /signalled by the server|^[A-Z]{3,}: /.test(reason.message);
}

/** An error that the client library gave because it has too much under way: nothing was sent. */
function isOverload(reason: unknown): boolean {
  return reason instanceof Error && /inflight request/i.test(reason.message);
}

/** Whether a command may have been carried out although it has no answer. */
export function isConnectionFailure(reason: unknown): boolean {
  return reason instanceof Error && !isServerError(reason) && !isOverload(reason);
}

/** Whether an answer says that its node lacks the function. */
export function isFunctionMissing(reason: unknown): boolean {
  return isServerError(reason) && /function not found/i.test(reason.message);
}

/** GLIDE spells some of the server's codes in its own way, for instance `TryAgain`. */
const passing =
  /\b(TRYAGAIN|CLUSTERDOWN|MOVED|ASK|(BUSY)?LOADING\w*|MASTERDOWN\w*|READONLY|NOREPLICAS|BUSY|OOM|MISCONF)\b/i;

/** Whether a command was certainly not carried out, for a reason that passes. */
export function isNotCarriedOut(reason: unknown): boolean {
  if (isOverload(reason)) return true;
  return isServerError(reason) && (passing.test(reason.message) || isFunctionMissing(reason));
}

/**
 * Whether an answer says that the client has not found the primary: it asked a replica for a write, or was sent on to somebody whom it cannot
 * reach (it follows redirections by itself).
 */
export function isMisrouted(reason: unknown): boolean {
  return isServerError(reason) && /\b(READONLY|MOVED)\b/i.test(reason.message);
}

/** Part of every day, and handled: a node that sends the client on, one that lacks a function, and one that has it. */
const routine = /^(MOVED|ASK|TRYAGAIN)\b|function not found|already exists/i;
/** Bound of what is repeated of an error's words. */
const maxWords = 300;

/** Why the server itself does not do a command, in its words; undefined for everything else, redirections included. */
export function refusalOf(reason: unknown): string | undefined {
  if (!isServerError(reason)) return undefined;
  const words = reason.message.replace(/^An error was signalled by the server: - /, "").trim();
  return routine.test(words) ? undefined : words.slice(0, maxWords);
}
