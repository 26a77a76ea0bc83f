import { version } from "@fanfare/server";
import { Command } from "commander";
import { addDrain } from "./commands/drain.ts";
import { addNodes } from "./commands/nodes.ts";
import { addPub } from "./commands/pub.ts";
import { addServe } from "./commands/serve.ts";
import { addSub } from "./commands/sub.ts";
import { addToken } from "./commands/token.ts";
import { exitCodeHelp } from "./exit-code.ts";

/** The whole command line. Errors of usage are thrown as CommanderError, nothing exits the process. */
export function createProgram(): Command {
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
  addServe(program);
  addToken(program);
  addPub(program);
  addSub(program);
  addNodes(program);
  addDrain(program);
  return program;
}
