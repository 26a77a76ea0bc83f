import {
  anyPayload,
  type Channel,
  type Client,
  type MessageMeta,
  type Payload,
  type StatusEvent,
} from "@fanfare/sdk-node";
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.ts";
import { exitCodeHelp } from "../exit-code.ts";
import { given, playerToken } from "../server/credential.ts";
import { openPlayerSession, sessionError } from "../server/player-session.ts";
import { httpUrl, type ServerOptions, withServerOptions } from "../server/server-options.ts";
import { refused, toCliError } from "../server/to-cli-error.ts";
import { checkNames } from "../terminal/channel-name.ts";
import { interruption } from "../terminal/interruption.ts";
import { repeated, wholeNumber } from "../terminal/number-option.ts";
import { Output } from "../terminal/output.ts";
import { payloadFields, payloadText } from "../terminal/payload-text.ts";
import { printable } from "../terminal/printable.ts";
import { gapText, statusText, targetText } from "../terminal/status-text.ts";

interface SubOptions extends ServerOptions {
  readonly group?: readonly string[];
  readonly player?: string;
  readonly broadcast?: true;
  readonly count?: number;
  readonly token?: string;
}

/** Who the command is on a development server unless it is told. */
const defaultPlayer = "cli";

/** `fanfare sub`. */
export function addSub(program: Command): void {
  const command = program
    .command("sub")
    .summary("receive messages")
    .description("Prints what is sent to groups, to a player or to everybody, until SIGINT. Reconnects by itself.")
    .option("--group <name>", "receive a group; may be repeated", repeated)
    .option("--player <id>", "be this player, and receive what is sent to them")
    .option("--broadcast", "receive what is sent to everybody")
    .option("--count <n>", "end after so many messages", wholeNumber(1, 1e9))
    .addOption(
      new Option("--token <jwt>", "the player's token; a development server on this machine gives one by itself").env(
        "FANFARE_TOKEN",
      ),
    );
  withServerOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  fanfare sub --group lobby
  fanfare sub --group chat:eu --group chat:us --broadcast
  fanfare sub --player bob --json | jq .text
  fanfare sub --group lobby --count 1
  FANFARE_TOKEN=eyJ… fanfare sub --group lobby --url https://game.example

Messages go to standard output, one a line; connection, gaps and errors to standard error. With --json a message is
{time, channel, from, origin, seq, volatile, type, and one of text, json, binary (base64)}.
${exitCodeHelp}`,
    )
    .action((options: SubOptions) => subscribe(options, new Output(options.json === true)));
}

async function subscribe(options: SubOptions, output: Output): Promise<void> {
  const { group: groups = [], broadcast, count = Number.POSITIVE_INFINITY } = options;
  if (groups.length === 0 && options.player === undefined && broadcast === undefined) {
    throw new CliError("usage", "nothing to receive", "pass --group <name>, --player <id> or --broadcast");
  }
  checkNames("group", groups);
  if (options.player !== undefined) checkNames("player", [options.player]);
  const url = httpUrl(options.url);
  const token = given(options.token, playerToken);
  using interrupted = interruption();
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {}); // awaited below, and may reject before
  interrupted.signal.addEventListener("abort", () => ended.resolve());

  const client = await openPlayerSession({
    url,
    token,
    player: options.player ?? defaultPlayer,
    signal: interrupted.signal,
    onStatus: (event) => {
      const text = isToldAtTheEnd(event) ? undefined : statusText(event);
      if (text !== undefined) output.note(text);
      if (event.type === "closed" && event.error !== undefined) ended.reject(sessionError(url, event.error, token));
    },
  }).catch((error: unknown) => {
    if (interrupted.signal.aborted) return undefined;
    throw error;
  });
  if (client === undefined) return;
  await using _ = client;
  checkPlayer(client, options.player);

  let left = count;
  const receive = (channel: Channel) => {
    channel.on("gap", ({ reason }) => output.note(gapText(channel.target, reason)));
    channel.on(anyPayload, (payload, meta) => {
      if (left <= 0) return;
      print(payload, meta, output);
      if (--left === 0) ended.resolve();
    });
  };
  if (options.player !== undefined) receive(client.player);
  if (broadcast !== undefined) receive(client.broadcast);
  for (const name of groups) {
    const channel = await client.join(name).catch((error: unknown) => {
      throw toCliError(url, error);
    });
    receive(channel);
  }
  const names = [...groups.map((group) => ({ group })), ...(options.player ? [{ player: options.player }] : [])];
  output.note(`receiving ${[...names.map(targetText), ...(broadcast ? ["everybody"] : [])].join(", ")}`);
  await ended.promise;
}

/** The session ends for it, and the command with the same words. */
function isToldAtTheEnd(event: StatusEvent): boolean {
  if (event.type === "closed") return true;
  return event.type === "error" && (refused.has(event.error.code) || event.error.cause instanceof CliError);
}

/** A token names its player; another one here would wait for messages that never come. */
function checkPlayer({ playerId }: Client, wanted: string | undefined): void {
  if (wanted === undefined || wanted === playerId) return;
  throw new CliError("usage", `the token is of player ${playerId}, not of ${wanted}`, `pass --player ${playerId}`);
}

function print(payload: Payload, meta: MessageMeta, output: Output): void {
  const time = meta.sentAt.toISOString();
  if (output.json) {
    const { channel, from, origin, seq, volatile } = meta;
    output.object({ time, channel, from, origin: String(origin), seq, volatile, ...payloadFields(payload) });
    return;
  }
  const where = output.styled("cyan", printable(targetText(meta.channel)));
  const from = output.styled("green", meta.from === "" ? "(backend)" : printable(meta.from));
  output.line([output.styled("dim", time.slice(11, 23)), where, from, payloadText(payload)].join("  "));
}
