import { randomBytes } from "node:crypto";
import type { Channel, ErrorCode, PublishResult, Resume, Rpc } from "@fanfare/proto/v1";
import type { App } from "./app.ts";
import type { Subscription } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { Claims } from "./verify-token.ts";

/** What a publish was answered. */
export type Answer = { readonly result: PublishResult } | { readonly refused: ErrorCode };

/** One client instance of a player. It outlives its connections for the resume window. */
export class Session {
  readonly id = randomBytes(9).toString("base64url");
  readonly app: App;
  readonly player: string;
  origin: bigint;
  claims: Claims;
  features: ReadonlySet<string> = new Set();
  attempt = 0;
  /** Counts the nodes it has been at. */
  generation = 1;
  /** Index of the address of its last connection, which stands for a node. */
  node = 0;
  /** The backend's newest call; with a mutant alone. */
  lastCall: Rpc | undefined;
  /** The next message is lost; with a mutant alone. */
  losesNext = false;
  /** It is sent nothing; with a mutant alone. */
  isDeaf = false;
  connection: Connection | undefined;
  readonly subscriptions = new Map<string, Subscription>();
  /** Keys of the server's own channels that the client has unsubscribed. */
  readonly declined = new Set<string>();
  /** The highest seq of volatile publishes and of the others; with a mutant, by channel. */
  readonly highest = new Map<string, bigint>();
  readonly answers = new Map<bigint, Answer>();
  bucket: TokenBucket;
  readonly namespaceBuckets = new Map<string, TokenBucket>();
  readonly #secrets: string[] = [];
  window: NodeJS.Timeout | undefined;
  ended = false;

  constructor(app: App, claims: Claims, origin: bigint) {
    this.app = app;
    this.player = claims.player;
    this.claims = claims;
    this.origin = origin;
    this.bucket = this.newBucket();
  }

  newBucket(): TokenBucket {
    const { publishesPerSecond, publishBurst } = this.app.settings.limits;
    return new TokenBucket(publishesPerSecond, publishBurst);
  }

  /** A new secret for a welcome. */
  newSecret(): string {
    const secret = randomBytes(24).toString("base64url");
    this.#secrets.push(secret);
    return secret;
  }

  /** Whether a client that names this session knows one of its secrets. */
  isOpenedBy({ secret }: Resume): boolean {
    const { breaks } = this.app;
    if (breaks.has("secret-unchecked")) return true;
    if (breaks.has("secret-by-its-beginning")) return this.#secrets.some((one) => secret.startsWith(one));
    return breaks.has("newest-secret-only") ? this.#secrets.at(-1) === secret : this.#secrets.includes(secret);
  }

  /** The send queue of its connection has room again. */
  wakeReaders(connection: Connection): void {
    if (connection !== this.connection) return;
    for (const { reader } of this.subscriptions.values()) reader?.wake();
  }

  /** Whether a channel is subscribed by the server's own doing. */
  isServers({ kind }: Channel): boolean {
    if (kind.case === "player") return kind.value === this.player;
    return kind.case === "broadcast" || (kind.case === "group" && this.isMember(kind.value));
  }

  /** Whether the player is a member of a group: by the token, or by the backend's word. */
  isMember(group: string): boolean {
    return this.claims.groups.includes(group) || this.app.members.has(group, this.player);
  }

  /** The answer is kept for the last publishes, as many as may be pending. */
  remember(seq: bigint, answer: Answer): void {
    this.answers.set(seq, answer);
    const most = this.app.breaks.has("answers-forgotten") ? 1 : this.app.settings.limits.maxPendingRequests;
    if (this.answers.size > most) for (const oldest of this.answers.keys()) return void this.answers.delete(oldest);
  }
}
