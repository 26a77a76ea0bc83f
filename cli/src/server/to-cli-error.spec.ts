import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ErrorCode, FanfareError } from "@fanfare/sdk-node";
import { createControlClient } from "@fanfare/sdk-node/control";
import { describe, expect, it } from "vitest";
import { toCliError } from "./to-cli-error.ts";

/** What a command is told whose call fails at this address. */
async function callFails(url: string) {
  const reason: unknown = await createControlClient({ url, apiKey: "k" })
    .listNodes({})
    .catch((error: unknown) => error);
  return toCliError(url, reason);
}

describe("a server that cannot do what was asked", () => {
  for (const [what, type, body] of [
    [
      "itself",
      "application/json",
      JSON.stringify({ code: "unavailable", message: "this node is not in its cluster now" }),
    ],
    ["by a proxy", "text/html", "<h1>503</h1>"],
  ] as const) {
    it(`is told apart from none where it answers ${what}`, async () => {
      await using server = createServer((_request, response) => {
        response.writeHead(503, { "content-type": type }).end(body);
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { exitCode, message, remedy } = await callFails(url);
      expect({ exitCode, message }).toEqual({
        exitCode: 3,
        message: expect.stringMatching(
          `^${url} answers that it cannot do this now: (this node is not in its|HTTP 503)`,
        ),
      });
      expect(remedy).toContain("another node");
    });
  }

  it("is told apart from none where it closes the connection, and says why", () => {
    const reason = "this node is cut off from its cluster";
    const isolated = new FanfareError(ErrorCode.UNAVAILABLE, reason, { closeCode: 4202 });
    expect(toCliError("http://game", isolated).message).toBe(
      `http://game answers that it cannot do this now: ${reason}`,
    );
    const late = new FanfareError(ErrorCode.UNAVAILABLE, "not connected within 10 s", { cause: isolated });
    expect(toCliError("http://game", late).message).toContain(reason);
    const lost = new FanfareError(ErrorCode.UNAVAILABLE, "closed", { closeCode: 1006 });
    expect(toCliError("http://game", lost).message).toMatch("no server answers at http://game");
  });

  it("is none where nobody listens", async () => {
    expect((await callFails("http://127.0.0.1:1")).message).toMatch("no server answers at");
  });
});
