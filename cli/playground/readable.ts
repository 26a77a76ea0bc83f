import type { Payload, Target } from "@fanfare/sdk-browser";

/** Bytes that are shown of binary data. */
const shownBytes = 64;

/** A time of day with milliseconds. */
export function timeText(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** A channel's name. */
export function targetText(target: Target): string {
  if (target === "broadcast") return "everybody";
  return "group" in target ? target.group : `@${target.player}`;
}

/** A payload in one line. */
export function payloadText({ type, text, json, binary }: Payload): string {
  const data = text ?? json ?? bytesText(binary ?? new Uint8Array());
  return type === "" ? data : `${type} ${data}`;
}

/** Bytes as their number and hexadecimal digits. */
function bytesText(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, shownBytes), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `(${bytes.length} bytes) ${shown}${bytes.length > shownBytes ? " …" : ""}`;
}

/** A decoded frame as indented JSON: ids of 64 bits as text, bytes in hexadecimal, and JSON payloads as what they hold. */
export function frameText(frame: object): string {
  return JSON.stringify(
    frame,
    (key, value: unknown) => {
      if (typeof value === "bigint") return value.toString();
      if (value instanceof Uint8Array) return bytesText(value);
      if (key === "json" && typeof value === "string") return parsed(value);
      return value;
    },
    2,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
