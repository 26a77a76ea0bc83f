import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";
import { keyOf } from "./channel.ts";
import type { MessageBody } from "./message-body.ts";
import type { Waiting } from "./outbox.ts";

/** What a send queue has to know of a message. */
export function queueingOf(body: MessageBody): Pick<Waiting, "volatile" | "conflation" | "expiresAtMs"> {
  const { volatile, conflationKey, channel, origin, expiresAtMs } = body;
  const conflation = conflationKey === "" ? undefined : `${origin} ${keyOf(channel)} ${conflationKey}`;
  return { volatile, conflation, expiresAtMs: Number(expiresAtMs) };
}

/** A message as a connection of a form gets it: as it is, but for mutants. Undefined: not at all. */
export function bodyIn(form: Form, body: MessageBody, breaks: Breaks): MessageBody | undefined {
  const data = body.payload?.data;
  if (form === "binary" || body.payload === undefined) return body;
  if (data?.case === "binary" && breaks.has("json-binary-left-out")) return undefined;
  if (data?.case !== "text" || !breaks.has("json-text-escaped")) return body;
  return { ...body, payload: { ...body.payload, data: { case: "text", value: encodeURI(data.value) } } };
}
