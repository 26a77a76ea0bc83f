import type {
  AdvancedBaseClientConfiguration,
  BaseClientConfiguration,
  GlideReturnType,
  PubSubMsg,
} from "@valkey/valkey-glide";
import { defaultConnectTimeoutMs, defaultRequestTimeoutMs, type ValkeyOptions } from "./valkey-options.ts";

/** One part of a command. Strings are sent as UTF-8. */
export type CommandPart = string | Uint8Array;

/** A command and its arguments. */
export type Command = readonly CommandPart[];

/** What Valkey answers: strings as bytes, in a batch also an error in the place of an answer. */
export type Reply = number | bigint | boolean | null | string | Buffer | Error | readonly Reply[];

/** Whether a reply is an answer, and no error in the place of one. */
export function isAnswer(reply: Reply | undefined): reply is Exclude<Reply, Error> {
  return reply !== undefined && !(reply instanceof Error);
}

/** Where a command goes, in a cluster: `slotOf` and `replicaOf` are keys; without a replica it is the primary. */
export type Destination = { readonly slotOf: string } | { readonly replicaOf: string } | "all-primaries" | "any";

/** A connection to Valkey. What fails rejects with the client library's error. */
export interface ValkeyClient {
  /** One command, routed by its key unless a destination is given. */
  send(command: Command, destination?: Destination): Promise<Reply>;
  /**
   * Commands that are sent in one go to the primary of a key's slot; errors of single commands stand in their places. In a cluster a command
   * that is redirected is carried out elsewhere, without a word: let it name the node that answered.
   */
  pipeline(commands: readonly Command[], slotOf: string, timeoutMs: number): Promise<readonly Reply[]>;
  close(): void;
}

/** What listens to channels of Valkey. Subscriptions that are lost come back by themselves, which can take long. */
export interface ValkeySubscriber {
  close(): void;
}

/** Receives what was published; the channel is one of those subscribed to. Must not throw. */
export type OnPublished = (channel: string, bytes: Uint8Array) => void;

/** Ways to reach Valkey: everything of the server goes through here. */
export interface ValkeyConnector {
  /** Connects. @throws if GLIDE is not installed or nobody answers */
  connect(options: ValkeyOptions): Promise<ValkeyClient>;
  /**
   * Connects a listener of its own. In a cluster channels are sharded ones (`SPUBLISH`), else plain ones (`PUBLISH`). That it is connected does not
   * say that all subscriptions stand: those of a shard out of reach follow.
   * @throws if GLIDE is not installed or nobody answers
   */
  subscribe(options: ValkeyOptions, channels: readonly string[], onPublished: OnPublished): Promise<ValkeySubscriber>;
}

/** Publishes, as a {@link ValkeyConnector} subscribes. Answers how many received it. */
export function publishCommand(cluster: boolean, channel: string, bytes: Uint8Array): Command {
  return [cluster ? "SPUBLISH" : "PUBLISH", channel, bytes];
}

/** Connects by GLIDE. @throws if GLIDE is not installed or nobody answers */
export async function connectValkey(options: ValkeyOptions): Promise<ValkeyClient> {
  const glide = await import("@valkey/valkey-glide");
  const configuration = configurationOf(glide, options);
  if (!options.cluster) {
    const client = await glide.GlideClient.createClient(configuration);
    return {
      send: async (command) => asReply(await client.customCommand(command.map(asString))),
      async pipeline(commands, _slotOf, timeoutMs) {
        const batch = new glide.Batch(false);
        for (const command of commands) batch.customCommand(command.map(asString));
        return (await client.exec(batch, false, { timeout: timeoutMs }))?.map(asReply) ?? [];
      },
      close: () => client.close(),
    };
  }
  const client = await glide.GlideClusterClient.createClient(configuration);
  return {
    send: async (command, destination) =>
      asReply((await client.customCommand(command.map(asString), routeOf(destination))) as GlideReturnType),
    async pipeline(commands, slotOf, timeoutMs) {
      const batch = new glide.ClusterBatch(false);
      for (const command of commands) batch.customCommand(command.map(asString));
      const route = { type: "primarySlotKey" as const, key: slotOf };
      return (await client.exec(batch, false, { timeout: timeoutMs, route }))?.map(asReply) ?? [];
    },
    close: () => client.close(),
  };
}

/** Subscribes by GLIDE. @throws if GLIDE is not installed or nobody answers */
async function subscribeValkey(
  options: ValkeyOptions,
  channels: readonly string[],
  onPublished: OnPublished,
): Promise<ValkeySubscriber> {
  const glide = await import("@valkey/valkey-glide");
  const configuration = configurationOf(glide, options);
  const subscribed = new Set(channels);
  const callback = ({ channel, message }: PubSubMsg) => onPublished(String(channel), message as Buffer);
  if (options.cluster) {
    const { Sharded } = glide.GlideClusterClientConfiguration.PubSubChannelModes;
    const channelsAndPatterns = { [Sharded]: subscribed };
    return await glide.GlideClusterClient.createClient({
      ...configuration,
      pubsubSubscriptions: { channelsAndPatterns, callback },
    });
  }
  const { Exact } = glide.GlideClientConfiguration.PubSubChannelModes;
  const channelsAndPatterns = { [Exact]: subscribed };
  return await glide.GlideClient.createClient({
    ...configuration,
    pubsubSubscriptions: { channelsAndPatterns, callback },
  });
}

/** GLIDE, which is loaded when it is first used. */
export const glideConnector: ValkeyConnector = { connect: connectValkey, subscribe: subscribeValkey };

type Glide = typeof import("@valkey/valkey-glide");

type Configuration = BaseClientConfiguration & { advancedConfiguration: AdvancedBaseClientConfiguration };

function configurationOf(glide: Glide, options: ValkeyOptions): Configuration {
  glide.Logger.setLoggerConfig("off");
  const { requestTimeoutMs = defaultRequestTimeoutMs, connectTimeoutMs = defaultConnectTimeoutMs } = options;
  const { certificateAuthorities: rootCertificates } = options;
  return {
    addresses: options.addresses.map(({ host, port }) => ({ host, port })),
    useTLS: options.tls ?? false,
    requestTimeout: requestTimeoutMs,
    defaultDecoder: glide.Decoder.Bytes,
    inflightRequestsLimit: 10_000,
    ...(options.readsReplicas && { readFrom: "preferReplica" as const }),
    advancedConfiguration: {
      connectionTimeout: connectTimeoutMs,
      ...(rootCertificates !== undefined && { tlsAdvancedConfiguration: { rootCertificates } }),
    },
    ...(options.credentials !== undefined && { credentials: { ...options.credentials } }),
  };
}

function routeOf(destination: Destination | undefined) {
  if (destination === undefined) return {};
  if (destination === "all-primaries") return { route: "allPrimaries" as const };
  if (destination === "any") return { route: "randomNode" as const };
  if ("replicaOf" in destination) return { route: { type: "replicaSlotKey" as const, key: destination.replicaOf } };
  return { route: { type: "primarySlotKey" as const, key: destination.slotOf } };
}

function asString(part: CommandPart): string | Buffer {
  if (typeof part === "string" || Buffer.isBuffer(part)) return part;
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

/** Maps and sets do not occur: no command that answers with one is sent. */
function asReply(value: GlideReturnType): Reply {
  return value as Reply;
}
