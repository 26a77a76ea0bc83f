import type { Payload } from "@fanfare/proto/v1";

/** Bytes of a payload's data, of text its UTF-8 form. */
export function payloadBytes(payload: Pick<Payload, "data"> | undefined): number {
  const data = payload?.data;
  if (data?.case === undefined) return 0;
  return data.case === "binary" ? data.value.length : Buffer.byteLength(data.value);
}
