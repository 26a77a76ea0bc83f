import type { CommandPart, Reply } from "../../valkey/valkey-client.ts";

/** An error as a server answers it: `code` is its first word. */
export class ErrorReply {
  readonly code: string;
  readonly message: string;

  constructor(code: string, message: string) {
    this.code = code;
    this.message = message;
  }

  get text(): string {
    return `${this.code} ${this.message}`;
  }
}

/** A simple string, for instance `OK`. */
export class Status {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a server answers. A string is a bulk string with one character a byte. */
export type ModelReply = null | number | string | Status | ErrorReply | readonly ModelReply[];

export const ok = new Status("OK");

/** A part of a command with one character a byte. */
export function binaryOf(part: CommandPart): string {
  if (typeof part !== "string") return Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("latin1");
  return Buffer.byteLength(part) === part.length ? part : Buffer.from(part).toString("latin1");
}

/** An answer as the client library gives it; an error as it words it. */
export function clientReplyOf(reply: ModelReply): Reply {
  if (reply === null || typeof reply === "number") return reply;
  if (typeof reply === "string") return Buffer.from(reply, "latin1");
  if (reply instanceof Status) return reply.text;
  if (reply instanceof ErrorReply) return errorOf(reply);
  return reply.map(clientReplyOf);
}

/** An error of the server, in the client library's words. */
export function errorOf({ code, message }: ErrorReply): Error {
  return new Error(`An error was signalled by the server: - ${code}: ${message}`);
}

export const wrongType = new ErrorReply("WRONGTYPE", "Operation against a key holding the wrong kind of value");
export const syntaxError = new ErrorReply("ERR", "syntax error");
export const notAnInteger = new ErrorReply("ERR", "value is not an integer or out of range");
