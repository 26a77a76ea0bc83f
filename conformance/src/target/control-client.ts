import type { JsonObject } from "@bufbuild/protobuf";
import { HarnessError } from "../run/failure.ts";

/** What a call of the control API brought. */
export interface ControlAnswer {
  /** The Connect code; empty when it succeeded. */
  readonly error: string;
  /** The response, or the Connect error. */
  readonly body: JsonObject;
}

/** Calls fanfare.control.v1.ControlService by Connect's unary protocol with JSON, which needs no code of any server or SDK. */
export class ControlClient {
  readonly #url: string;
  readonly #keyOf: (app: string) => string;

  /** @param url base URL, without the service's path */
  constructor(url: string, keyOf: (app: string) => string) {
    this.#url = url.replace(/\/$/, "");
    this.#keyOf = keyOf;
  }

  /** @throws HarnessError when the server is out of reach or answers with something else than Connect */
  async call(method: string, request: JsonObject, app: string, signal: AbortSignal): Promise<ControlAnswer> {
    const url = `${this.#url}/fanfare.control.v1.ControlService/${method}`;
    const headers = {
      "content-type": "application/json",
      "connect-protocol-version": "1",
      authorization: `Bearer ${this.#keyOf(app)}`,
    };
    try {
      const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(request), signal });
      const body = (await response.json()) as JsonObject;
      return { error: response.ok ? "" : String(body.code), body };
    } catch (cause) {
      throw new HarnessError(`the control API cannot be called at ${url}: ${String(cause)}`, { cause });
    }
  }
}
