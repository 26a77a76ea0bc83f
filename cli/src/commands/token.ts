import { mintToken, type PlayerToken } from "@fanfare/sdk-node/token";
import { type Command, InvalidArgumentError } from "commander";
import { CliError } from "../cli-error.ts";
import { exitCodeHelp } from "../exit-code.ts";
import { devCredentials } from "../server/dev-credentials.ts";
import { httpUrl, type ServerOptions, withServerOptions } from "../server/server-options.ts";
import { toCliError } from "../server/to-cli-error.ts";
import { capability } from "../terminal/capability.ts";
import { checkNames } from "../terminal/channel-name.ts";
import { parseDuration } from "../terminal/duration.ts";
import { repeated } from "../terminal/number-option.ts";
import { Output } from "../terminal/output.ts";

interface TokenOptions extends ServerOptions {
  readonly player: string;
  readonly dev?: true;
  readonly secret?: string;
  readonly secretEnv?: string;
  readonly app?: string;
  readonly keyId?: string;
  readonly group?: readonly string[];
  readonly cap?: readonly string[];
  readonly expires?: number;
}

/** Of a key of HS256, as the configuration of servers bounds it. */
const leastSecretBytes = 32;

/** `fanfare token`. */
export function addToken(program: Command): void {
  const command = program
    .command("token")
    .summary("mint a player's token")
    .description("Prints a player's token: of a development server, or signed here with the secret of a key (HS256).")
    .requiredOption("--player <id>", "whose token")
    .option("--dev", "of the development server at --url; so it is without a secret, too")
    .option("--secret <text>", "sign with this secret; other programs on this machine may see it")
    .option("--secret-env <name>", "sign with the secret in this environment variable")
    .option("--app <id>", "the app, with a secret")
    .option("--key-id <id>", "the key's id in the server's configuration, with a secret")
    .option("--group <name>", "the player is a member of this group, with a secret; may be repeated", repeated)
    .option("--cap <verb:pattern>", "a capability such as publish:chat:*, with a secret; may be repeated", capability)
    .option("--expires <duration>", "how long it is good, with a secret: 30m, 24h, 7d (default: 1h)", lifetime);
  withServerOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  fanfare token --player bob
  FANFARE_TOKEN=$(fanfare token --player bob) fanfare sub --player bob
  fanfare token --player bob --app game --secret-env PLAYER_SECRET --expires 24h \\
      --group guild:7 --cap publish:chat:*

The token goes to standard output, when it expires to standard error. With --json: {token, player, expiresAt}.
${exitCodeHelp}`,
    )
    .action((options: TokenOptions) => token(options, new Output(options.json === true)));
}

/** Servers take whole seconds. */
function lifetime(text: string): number {
  const ms = parseDuration(text);
  if (ms >= 1000) return ms;
  throw new InvalidArgumentError("A token has to be good for a second at least.");
}

async function token(options: TokenOptions, output: Output): Promise<void> {
  checkNames("player", [options.player]);
  checkNames("group", options.group);
  const secret = secretOf(options);
  const minted = await (secret === undefined ? ofDevelopmentServer(options) : signed(options, secret));
  const expiresAt = new Date(minted.expiresAtMs).toISOString();
  if (output.json) return output.object({ token: minted.token, player: options.player, expiresAt });
  output.line(minted.token);
  output.note(`of player ${options.player}, until ${expiresAt}`);
}

function secretOf({ secret, secretEnv, dev }: TokenOptions): string | undefined {
  if ([secret, secretEnv, dev].filter((given) => given !== undefined).length > 1) {
    throw new CliError("usage", "--dev, --secret and --secret-env exclude each other", "pass one of them");
  }
  if (secretEnv === undefined) return secret;
  const value = process.env[secretEnv];
  if (value === undefined || value === "") throw new CliError("usage", `the environment has no ${secretEnv}`);
  return value;
}

function ofDevelopmentServer(options: TokenOptions): Promise<PlayerToken> {
  const signing = (["app", "keyId", "group", "cap", "expires"] as const).find((name) => options[name] !== undefined);
  if (signing !== undefined) {
    const name = signing === "keyId" ? "key-id" : signing;
    throw new CliError("usage", `--${name} needs a secret to sign with`, "pass --secret-env <name>, or leave it out");
  }
  return devCredentials(httpUrl(options.url), options.player, "the secret with --secret-env, and --app");
}

async function signed(options: TokenOptions, key: string): Promise<PlayerToken> {
  const { player, app, keyId, group: groups, cap: capabilities, expires: lifetimeMs } = options;
  if (app === undefined) throw new CliError("usage", "the token needs an app", "pass --app <id>");
  if (Buffer.byteLength(key) < leastSecretBytes) {
    const message = `the secret is shorter than ${leastSecretBytes} bytes, and no server takes one that is`;
    throw new CliError("usage", message, "make a longer one, for instance with `openssl rand -hex 32`");
  }
  try {
    return await mintToken({ player, app, key, keyId, groups, capabilities, lifetimeMs });
  } catch (error) {
    throw toCliError(options.url, error);
  }
}
