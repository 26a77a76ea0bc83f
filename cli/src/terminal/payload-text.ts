import type { Payload } from "@fanfare/sdk-node";
import { printable } from "./printable.ts";

/** Bytes that are shown of binary data. */
const shownBytes = 32;

/** A payload for people, in one line: text and JSON as they are, of bytes the size and the beginning. */
export function payloadText({ type, text, json, binary }: Payload): string {
  const data = text ?? json ?? bytesText(binary ?? new Uint8Array());
  return printable(type === "" ? data : `${type} ${data}`);
}

/** A payload for machines: its text, its JSON as a value, or its bytes in base64. */
export function payloadFields({ type, text, json, binary }: Payload): Record<string, unknown> {
  const named = type === "" ? {} : { type };
  if (text !== undefined) return { ...named, text };
  if (json !== undefined) return { ...named, ...jsonField(json) };
  return { ...named, binary: Buffer.from(binary ?? new Uint8Array()).toString("base64") };
}

/** Nobody on the way checks that JSON is JSON. */
function jsonField(json: string): Record<string, unknown> {
  try {
    return { json: JSON.parse(json) as unknown };
  } catch {
    return { invalidJson: json };
  }
}

function bytesText(bytes: Uint8Array): string {
  const size = `${bytes.length} ${bytes.length === 1 ? "byte" : "bytes"}`;
  if (bytes.length === 0) return `(${size})`;
  const shown = Buffer.from(bytes.subarray(0, shownBytes)).toString("hex");
  return `(${size}) ${shown}${bytes.length > shownBytes ? "…" : ""}`;
}
