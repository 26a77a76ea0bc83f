import { setTimeout as sleep } from "node:timers/promises";
import { type DeliveryReport, Outcome, type PublishResult } from "@fanfare/proto/v1";
import { ErrorCode, type Payload, type Target } from "@fanfare/sdk-node";
import { channelFor } from "@fanfare/sdk-node/control";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { exitCodeHelp } from "../exit-code.ts";
import { type Control, type ControlOptions, openControl } from "../server/control.ts";
import { type ServerOptions, withApiKey, withServerOptions } from "../server/server-options.ts";
import { checkNames } from "../terminal/channel-name.ts";
import { parseDuration } from "../terminal/duration.ts";
import { inputLines } from "../terminal/input-lines.ts";
import { repeated, wholeNumber } from "../terminal/number-option.ts";
import { Output } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { targetText } from "../terminal/status-text.ts";

interface PubOptions extends ServerOptions, ControlOptions {
  readonly group?: readonly string[];
  readonly player?: readonly string[];
  readonly broadcast?: true;
  readonly jsonPayload?: true;
  readonly type: string;
  readonly volatile?: true;
  readonly report?: true;
  readonly count: number;
  readonly interval: number;
}

/** `fanfare pub`. */
export function addPub(program: Command): void {
  const command = program
    .command("pub")
    .summary("send messages")
    .description(
      "Sends a message to groups, players or everybody, through the control API, and says what became of it.",
    )
    .argument("<message>", "what to send; - sends each line of standard input that is not empty")
    .option("--group <name>", "send to a group; may be repeated", repeated)
    .option("--player <id>", "send to a player; may be repeated", repeated)
    .option("--broadcast", "send to everybody")
    .option("--json-payload", "the message is JSON instead of text")
    .option("--type <name>", "type name of the payload", "")
    .option("--volatile", "may be dropped when a receiver is slow")
    .option("--report", "with --json: count the sessions that were reached")
    .option("--count <n>", "send it so many times", wholeNumber(1, 1e9), 1)
    .option("--interval <duration>", "wait between two: 100ms, 1s", parseDuration, 0);
  withApiKey(withServerOptions(command))
    .addHelpText(
      "after",
      `
Examples:
  fanfare pub --group lobby hello
  fanfare pub --player bob --player eve --json-payload '{"gold": 10}' --type shop.Reward --report
  fanfare pub --broadcast "back in five minutes"
  fanfare pub --group load --volatile --count 100 --interval 50ms tick
  tail -f chat.log | fanfare pub --group lobby -

A group of which nobody is there takes messages as well: what is printed says how many sessions were reached.
With --json one line for each channel: {channel, outcome, repeated, report, error}. A player who is offline is a failure.
${exitCodeHelp}`,
    )
    .action((message: string, options: PubOptions) => publish(message, options, new Output(options.json === true)));
}

async function publish(message: string, options: PubOptions, output: Output): Promise<void> {
  const targets = targetsOf(options);
  if (message === "-" && options.count > 1) {
    throw new CliError("usage", "standard input is sent once", "leave out --count");
  }
  if (message !== "-") payloadOf({ text: message }, options); // so that a wrong one is told before anything is tried
  const control = await openControl(options);
  const count = { messages: 0, all: 0, failed: 0 };
  for await (const body of messagesOf(message, options)) {
    const results = await publishOne(control, targets, payloadOf(body, options, count.messages), options, output);
    count.messages++;
    for (const [i, result] of results.entries()) {
      count.all++;
      if (!print(targets[i] ?? "broadcast", result, output)) count.failed++;
    }
  }
  if (count.failed > 0) throw new CliError("failed", `${count.failed} of ${count.all} were not delivered`);
}

function targetsOf({ group: groups = [], player: players = [], broadcast }: PubOptions): Target[] {
  checkNames("group", groups);
  checkNames("player", players);
  const targets: Target[] = [...groups.map((group) => ({ group })), ...players.map((player) => ({ player }))];
  if (broadcast) targets.push("broadcast");
  if (targets.length > 0) return targets;
  throw new CliError("usage", "nobody to send to", "pass --group <name>, --player <id> or --broadcast");
}

/** One message, and the line of standard input that it is. */
interface Body {
  readonly text: string;
  readonly number?: number;
}

async function* messagesOf(message: string, { count, interval }: PubOptions): AsyncGenerator<Body> {
  if (message === "-") {
    for await (const line of inputLines()) {
      yield line;
      await sleep(interval);
    }
    return;
  }
  for (let sent = 0; sent < count; sent++) {
    if (sent > 0) await sleep(interval);
    yield { text: message };
  }
}

/** @param sent how many messages went before it */
function payloadOf({ text, number }: Body, { jsonPayload, type }: PubOptions, sent = 0): Payload {
  if (!jsonPayload) return { type, text };
  try {
    JSON.parse(text);
  } catch (error) {
    const why = `is no JSON: ${(error as Error).message}`;
    if (number === undefined) {
      const remedy = "quote it for the shell: --json-payload '{\"gold\": 10}'";
      throw new CliError("usage", `the message ${why}`, remedy, { cause: error });
    }
    const before = sent === 0 ? "nothing was sent" : `${sent} before it ${sent === 1 ? "was" : "were"} sent`;
    throw new CliError(sent === 0 ? "usage" : "failed", `standard input: line ${number} ${why}`, before, {
      cause: error,
    });
  }
  return { type, json: text };
}

async function publishOne(
  { client, failure }: Control,
  targets: readonly Target[],
  { type, json, text = "" }: Payload,
  options: PubOptions,
  output: Output,
): Promise<PublishResult[]> {
  const data = json === undefined ? ({ case: "text", value: text } as const) : ({ case: "json", value: json } as const);
  const publication = {
    channels: targets.map(channelFor),
    payload: { type, data },
    volatile: options.volatile === true,
    wantReport: options.report === true || !output.json,
  };
  const response = await client.publish({ publications: [publication] }).catch((error: unknown) => {
    throw failure(error);
  });
  return response.results.flatMap(({ results }) => results);
}

/** Prints what became of the message in one channel; false: it was not delivered. */
function print(target: Target, { outcome, repeated, report, error }: PublishResult, output: Output): boolean {
  const delivered = outcome === Outcome.DELIVERED || outcome === Outcome.STORED;
  const counts = report && { reached: report.reached, detached: report.detached, excluded: report.excluded };
  if (output.json) {
    const refusal = error && { code: ErrorCode[error.code] ?? error.code, message: error.message, field: error.field };
    const name = Outcome[outcome] ?? outcome;
    output.object({
      channel: target,
      outcome: name,
      repeated,
      ...(counts && { report: counts }),
      ...(refusal && { error: refusal }),
    });
    return delivered;
  }
  const where = printable(targetText(target));
  if (delivered) {
    const what = outcome === Outcome.STORED ? "stored" : report?.reached === 0 ? "sent" : "delivered";
    output.line(`${what} to ${where}${report === undefined ? "" : `: ${reachedText(report)}`}`);
  } else if (outcome === Outcome.OFFLINE) output.note(`not delivered: ${where} is offline`);
  else output.note(`not delivered to ${where}: ${printable(error?.message ?? "what became of it is not known")}`);
  return delivered;
}

/** Whom a message came to, for people. Who is detached is told of a gap; a node that did not answer may have more. */
function reachedText({ reached, detached, nodesUnreached }: DeliveryReport): string {
  const sessions = reached === 0 ? "nobody" : `${reached} ${reached === 1 ? "session" : "sessions"}`;
  const away = detached === 0 ? "" : `, ${detached} without a connection at the moment`;
  const silent = nodesUnreached === 0 ? "" : `, ${nodesUnreached} nodes did not say`;
  return `reached ${sessions}${away}${silent}`;
}
