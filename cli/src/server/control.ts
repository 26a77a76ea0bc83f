import { type ControlClient, createControlClient } from "@fanfare/sdk-node/control";
import type { CliError } from "../cli-error.ts";
import { apiKey as credential, given, operatorKey } from "./credential.ts";
import { devCredentials } from "./dev-credentials.ts";
import type { OperatorOptions } from "./operator.ts";
import { httpUrl } from "./server-options.ts";
import { toCliError } from "./to-cli-error.ts";

/** Options of commands that use the control API. */
export interface ControlOptions {
  readonly url: string;
  readonly apiKey?: string;
}

/** The control API of one server, for one command. */
export interface Control {
  /** The server's address, as http. */
  readonly url: string;
  readonly client: ControlClient;
  /** What a failed call means for the command. */
  readonly failure: (error: unknown) => CliError;
}

/** Reaches the control API, with the key of a development server on this machine unless one is given. @throws CliError */
export async function openControl(options: ControlOptions): Promise<Control> {
  const url = httpUrl(options.url);
  const failure = (error: unknown) => toCliError(url, error, credential);
  const instead = "the key of its control API with --api-key or FANFARE_API_KEY";
  const apiKey = given(options.apiKey, credential) ?? (await devCredentials(url, "cli", instead)).apiKey;
  return control(url, apiKey, failure);
}

/** The same for what concerns nodes, which may need an operator's key: that one is taken where there are both. @throws CliError */
export async function openNodes(options: ControlOptions & OperatorOptions): Promise<Control> {
  const ofOperator = given(options.operatorKey, operatorKey);
  const url = httpUrl(options.url);
  if (ofOperator !== undefined) return control(url, ofOperator, (error) => toCliError(url, error, operatorKey));
  if (given(options.apiKey, credential) !== undefined) return await openControl(options);
  const instead =
    "a key of its operator API with --operator-key or FANFARE_OPERATOR_KEY, or of its control API with --api-key";
  const dev = await devCredentials(url, "cli", instead);
  return control(url, dev.operatorKey ?? dev.apiKey, (error) => toCliError(url, error, operatorKey));
}

function control(url: string, apiKey: string, failure: Control["failure"]): Control {
  try {
    return { url, client: createControlClient({ url, apiKey }), failure };
  } catch (error) {
    throw failure(error);
  }
}
