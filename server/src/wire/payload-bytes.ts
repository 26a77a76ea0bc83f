import type { Payload } from "@fanfare/proto/v1";

/** Bytes of a payload's data; of text and JSON, in UTF-8. What `max_payload_bytes` bounds. */
export function payloadBytes(payload: Payload | undefined): number {
  const value = payload?.data.value;
  return typeof value === "string" ? Buffer.byteLength(value) : (value?.length ?? 0);
}
