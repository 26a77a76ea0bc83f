import { callGuarded, type ReportThrown } from "../listeners.ts";
import type { Init } from "../wire/codec.ts";
import type { ClientFrame, ServerFrame } from "../wire/schema.ts";

/** One frame on its way, for inspectors. */
export interface TappedFrame {
  /** `out` from this client, `in` from the server. */
  readonly direction: "in" | "out";
  /** Number of the connection: 1 is the client's first. */
  readonly connection: number;
  /** The frame's kind, for instance `publish`; empty if it is not known here. */
  readonly kind: string;
  /** A frame of the schema as a plain object. Tokens and resume secrets are blotted out. Not to be changed. */
  readonly frame: Init<ClientFrame> | ServerFrame;
  /** Size of the encoded frame in bytes. */
  readonly bytes: number;
}

/** Shows frames to an inspector. */
export class FrameTap {
  readonly #connection: number;
  readonly #onFrame: (frame: TappedFrame) => void;
  readonly #report: ReportThrown;

  constructor(connection: number, onFrame: (frame: TappedFrame) => void, report: ReportThrown) {
    this.#connection = connection;
    this.#onFrame = onFrame;
    this.#report = report;
  }

  sent(frame: Init<ClientFrame>, bytes: number): void {
    const { hello, refresh } = frame;
    let shown = frame;
    if (hello !== undefined) {
      const resume = hello.resume && { ...hello.resume, secret: blot };
      shown = { ...frame, hello: { ...hello, token: blot, ...(resume && { resume }) } };
    } else if (refresh !== undefined) {
      shown = { ...frame, refresh: { token: blot } };
    }
    this.#show("out", shown, bytes);
  }

  received(frame: ServerFrame, bytes: number): void {
    const { welcome } = frame;
    this.#show("in", welcome === undefined ? frame : { ...frame, welcome: { ...welcome, resumeSecret: blot } }, bytes);
  }

  #show(direction: "in" | "out", frame: Init<ClientFrame> | ServerFrame, bytes: number): void {
    const kind = Object.keys(frame).find((key) => key !== "id") ?? "";
    callGuarded(() => this.#onFrame({ direction, connection: this.#connection, kind, frame, bytes }), this.#report);
  }
}

const blot = "[secret]";
