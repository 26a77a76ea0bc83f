/** How a Valkey, standalone or cluster, is reached. */
export interface ValkeyOptions {
  /** One or more nodes; standalone with replicas: all of them. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  /** Default: false. */
  readonly tls?: boolean;
  /** Default: the default user without a password. */
  readonly credentials?: { readonly username?: string; readonly password: string };
  /** How long a command may take, in milliseconds. Default: 250. */
  readonly requestTimeoutMs?: number;
}

/** Default of {@link ValkeyOptions.requestTimeoutMs}. */
export const defaultRequestTimeoutMs = 250;
