import { Command } from "commander";
import { CliError } from "./cli-error.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { version } from "./version.ts";

/** Adds each command, in the order of the help. They are loaded when they are needed, because all of them together start slowly. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import("./commands/serve.ts")).addServe,
  token: async () => (await import("./commands/token.ts")).addToken,
  pub: async () => (await import("./commands/pub.ts")).addPub,
  sub: async () => (await import("./commands/sub.ts")).addSub,
  nodes: async () => (await import("./commands/nodes.ts")).addNodes,
  drain: async () => (await import("./commands/drain.ts")).addDrain,
  apps: async () => (await import("./commands/apps.ts")).addApps,
};

/** `fanfare help [command]` is `fanfare [command] --help`. */
export function withoutHelpCommand(args: readonly string[]): readonly string[] {
  const [first, ...names] = args;
  return first === "help" ? [...names, "--help"] : args;
}

/**
 * The command line: the one command that the arguments begin with, or all of them. Errors of usage are thrown as CommanderError,
 * nothing exits the process.
 */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("fanfare")
    .description("Real-time messages for games: runs a server, and talks to one.")
    .version(version, "-v, --version")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError("Run it with --help for what it takes.")
    .addHelpText(
      "after",
      `
Examples:
  fanfare serve --dev                    a development server on http://127.0.0.1:8080
  fanfare sub --group lobby              print what is sent to a group
  fanfare pub --group lobby hello        send to it

Every command has its own --help with examples. FANFARE_URL says where the server is.
${exitCodeHelp}`,
    );
  checkCommand(args);
  const named = Object.entries(commands).filter(([name]) => name === args[0]);
  for (const [, load] of named.length > 0 ? named : Object.entries(commands)) (await load())(program);
  return program;
}

/** What is longer or shorter than a command, as `publish` is, and what help is asked for; the rest is told by Commander. */
function checkCommand([name = "", ...rest]: readonly string[]): void {
  if (name === "" || name.startsWith("-") || name in commands) return;
  const near = Object.keys(commands).find((one) => name.startsWith(one) || one.startsWith(name));
  const remedy = near === undefined ? "fanfare help names all" : `did you mean ${near}?`;
  if (near !== undefined || rest.includes("--help")) throw new CliError("usage", `unknown command '${name}'`, remedy);
}
