import { createOperatorClient, type OperatorClient } from "@fanfare/sdk-node/control";
import { CliError } from "../cli-error.ts";
import { operatorKey as credential, given } from "./credential.ts";
import { devCredentials } from "./dev-credentials.ts";
import { httpUrl } from "./server-options.ts";
import { toCliError } from "./to-cli-error.ts";

/** Options of commands that use the operator API. */
export interface OperatorOptions {
  readonly url: string;
  readonly operatorKey?: string;
}

/** The operator API of one cluster, for one command. */
export interface Operator {
  readonly client: OperatorClient;
  /** What a failed call means for the command. */
  readonly failure: (error: unknown) => CliError;
}

/** Reaches the operator API, with the key of a development server on this machine unless one is given. @throws CliError */
export async function openOperator(options: OperatorOptions): Promise<Operator> {
  const url = httpUrl(options.url);
  const failure = (error: unknown) => toCliError(url, error, credential);
  const instead = "a key of its operator API with --operator-key or FANFARE_OPERATOR_KEY";
  const operatorKey = given(options.operatorKey, credential) ?? (await devCredentials(url, "cli", instead)).operatorKey;
  if (operatorKey === undefined) {
    throw new CliError("unauthorized", `${url} gives no operator key`, `pass ${instead}`);
  }
  try {
    return { client: createOperatorClient({ url, operatorKey }), failure };
  } catch (error) {
    throw failure(error);
  }
}
