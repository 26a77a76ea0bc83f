import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorCode } from "@fanfare/sdk-core";
import { describe, expect, it } from "vitest";
import { createControlClient } from "./control-client.ts";
import { toFanfareError } from "./control-error.ts";

describe("a call whose connection is lost", () => {
  it.each(["EPIPE", "ECONNRESET", "EHOSTUNREACH", "ECONNREFUSED"])(
    "is UNAVAILABLE with %s, as often as it is wrapped",
    (code) => {
      const reason = Object.assign(new Error(`write ${code}`), { code });
      for (const wrapped of [Code.Internal, Code.Unknown, Code.Aborted]) {
        const thrown = new ConnectError(
          reason.message,
          wrapped,
          undefined,
          undefined,
          new Error("", { cause: reason }),
        );
        expect(toFanfareError(thrown)).toMatchObject({ code: ErrorCode.UNAVAILABLE, retryable: true });
      }
    },
  );

  it("is UNAVAILABLE when the server resets it before it has answered", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const call = createControlClient({ url, apiKey: "k" }).listNodes({});
      await expect(call).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE, retryable: true });
    } finally {
      server.close();
    }
  });

  it("is INTERNAL for a fault of another kind", () => {
    expect(toFanfareError(new ConnectError("bad", Code.Internal)).code).toBe(ErrorCode.INTERNAL);
    expect(toFanfareError(Object.assign(new Error("x"), { code: "ERR_OTHER" })).code).toBe(ErrorCode.INTERNAL);
  });
});
