/** How a Valkey, standalone or cluster, is reached. */
export interface ValkeyOptions {
  /** One or more nodes; standalone with replicas: all of them. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  /** Default: false. */
  readonly tls?: boolean;
  /** PEM of the certificate authorities to trust instead of the system's; only with `tls`. Default: the system's. */
  readonly certificateAuthorities?: string;
  /** Default: the default user without a password. */
  readonly credentials?: { readonly username?: string; readonly password: string };
  /** How long a command may take, in milliseconds. Default: 250. */
  readonly requestTimeoutMs?: number;
  /** How long connecting to one node may take, in milliseconds; a client waits so long for one that stands still. Default: 2000, and 500 for a client that replaces another. */
  readonly connectTimeoutMs?: number;
  /** Commands that only read, and say so by their name (`FCALL_RO`), go to a replica where there is one. Default: false. */
  readonly readsReplicas?: boolean;
}

/** Default of {@link ValkeyOptions.requestTimeoutMs}. */
export const defaultRequestTimeoutMs = 250;

/** Default of {@link ValkeyOptions.connectTimeoutMs}. */
export const defaultConnectTimeoutMs = 2000;

/** The same for a client that replaces another: nothing works without it, and the next attempt follows. */
const defaultReplacementTimeoutMs = 500;

/** How a client connects that replaces another. */
export function asReplacement(valkey: ValkeyOptions): ValkeyOptions {
  return { ...valkey, connectTimeoutMs: valkey.connectTimeoutMs ?? defaultReplacementTimeoutMs };
}
