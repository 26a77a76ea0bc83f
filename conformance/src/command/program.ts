import { Command } from "commander";
import { addAllCommand } from "./all-command.ts";
import { addClientCommand } from "./client-command.ts";
import { addDoctorCommand } from "./doctor-command.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { addExplainCommand } from "./explain-command.ts";
import { addListCommand } from "./list-command.ts";
import { addMatrixCommand } from "./matrix-command.ts";
import { addReportCommand } from "./report-command.ts";
import { addServerCommand } from "./server-command.ts";

/** The whole command line. Errors of usage are thrown as CommanderError. */
export function createProgram(): Command {
  const program = new Command("fanfare-conformance")
    .description("Holds clients and servers in any language against the Fanfare protocol.")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError("Run it with --help for what it takes.")
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance server --target target.yaml      every case for servers
  fanfare-conformance client --adapter ./my-adapter    every case for clients
  fanfare-conformance all --config conformance.yaml    several of them, side by side
  fanfare-conformance matrix --config conformance.yaml every client with every server
  fanfare-conformance doctor --target target.yaml      whether a server can be run against, and what is in the way
  fanfare-conformance doctor --adapter ./my-adapter    the same of a client
  fanfare-conformance list --profile core              what core consists of
  fanfare-conformance explain core/heartbeat/pong      what one case proves, and how

${exitCodeHelp}`,
    );
  addServerCommand(program);
  addClientCommand(program);
  addAllCommand(program);
  addMatrixCommand(program);
  addDoctorCommand(program);
  addListCommand(program);
  addExplainCommand(program);
  addReportCommand(program);
  return program;
}
