import { InvalidArgumentError } from "commander";
import { nameProblem } from "./channel-name.ts";
import { repeated } from "./number-option.ts";

const form =
  "Write <verb>:<pattern>: publish:chat:*, subscribe:match:42, presence:*, publish:player/bob or publish:broadcast.";

/** Collects capabilities of a token, none that a server would refuse or not know. */
export function capability(text: string, before?: readonly string[]): readonly string[] {
  const [, pattern] = /^(?:subscribe|publish|presence):(.*)$/.exec(text) ?? [];
  if (pattern === undefined || !isPattern(pattern)) throw new InvalidArgumentError(form);
  return repeated(text, before);
}

function isPattern(pattern: string): boolean {
  if (pattern === "*" || pattern === "broadcast" || pattern === "player/*") return true;
  if (pattern.startsWith("player/")) return nameProblem("player", pattern.slice("player/".length)) === undefined;
  return nameProblem("group", pattern.replace(/\*$/, "")) === undefined;
}
