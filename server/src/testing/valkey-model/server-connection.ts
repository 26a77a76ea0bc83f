import type { Timer } from "../../clock.ts";
import type { ModelReply } from "./reply.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** Commands that arrived together, and what becomes of them. */
export interface CommandBatch {
  readonly commands: readonly (readonly string[])[];
  /** The first command was sent behind `ASKING`. */
  readonly isAsking: boolean;
  readonly answer: (replies: readonly ModelReply[]) => void;
}

/** A connection of a client to one server, seen from the server: commands are carried out one after the other, and a `WAIT` holds them up. */
export class ServerConnection {
  readonly #server: ValkeyServer;
  readonly #batches: CommandBatch[] = [];
  #replies: ModelReply[] = [];
  /** Of the last write that came by it. */
  #writtenTo = 0;
  #waiting: { readonly offset: number; readonly replicas: number; readonly timer: Timer } | undefined;
  #isClosed = false;

  constructor(server: ValkeyServer) {
    this.#server = server;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  receive(batch: CommandBatch): void {
    if (this.#isClosed) return;
    this.#batches.push(batch);
    this.#goOn();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting?.timer.cancel();
    this.#waiting = undefined;
    this.#batches.length = 0;
    this.#server.forget(this);
  }

  /** A replica has confirmed something. */
  acknowledged(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const count = this.#server.replicasAt(waiting.offset);
    if (count >= waiting.replicas) this.#endWait(count);
  }

  /** Ends a `WAIT` with an answer, for instance an error. */
  unblock(reply: ModelReply): void {
    if (this.#waiting !== undefined) this.#endWait(reply);
  }

  #goOn(): void {
    while (this.#waiting === undefined && !this.#isClosed) {
      const [batch] = this.#batches;
      if (batch === undefined) return;
      const command = batch.commands[this.#replies.length];
      if (command === undefined) {
        this.#batches.shift();
        const replies = this.#replies;
        this.#replies = [];
        batch.answer(replies);
      } else if (command[0] === "WAIT") this.#wait(Number(command[1]), Number(command[2]));
      else {
        const isAsking = batch.isAsking && this.#replies.length === 0;
        const before = this.#server.offset;
        this.#replies.push(this.#server.execute(command, isAsking));
        if (this.#server.offset !== before) this.#writtenTo = this.#server.offset;
      }
    }
  }

  #wait(replicas: number, timeoutMs: number): void {
    const offset = this.#writtenTo;
    const count = this.#server.replicasAt(offset);
    if (count >= replicas) {
      this.#replies.push(count);
      return;
    }
    const timer = this.#server.process.clock.setTimer(timeoutMs, () => this.#endWait(this.#server.replicasAt(offset)));
    this.#waiting = { offset, replicas, timer };
    this.#server.askReplicas();
  }

  #endWait(reply: ModelReply): void {
    this.#waiting?.timer.cancel();
    this.#waiting = undefined;
    this.#replies.push(reply);
    this.#goOn();
  }
}
