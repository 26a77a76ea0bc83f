import { ErrorCode, Outcome } from "@fanfare/proto/v1";
import { expect, it, vi } from "vitest";
import type { RouteResult } from "../router/router.ts";
import { expectResult, type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const delivered: RouteResult = { outcome: Outcome.DELIVERED, report: { reached: 1, detached: 0, excluded: 0 } };
const failed: RouteResult = { outcome: Outcome.FAILED, code: ErrorCode.UNAVAILABLE, message: "out of reach" };

/** A server whose messages are on their way until the test says what becomes of them. */
async function serverThatTakesItsTime() {
  const server = await startTestServer();
  const router = server.server.node.apps.get("a")!.router;
  const routed: ((result: RouteResult) => void)[] = [];
  vi.spyOn(router, "publish").mockImplementation((_message, _excluded, done) => void routed.push(done));
  return { server, routed };
}

async function publish(client: TestClient, group: string) {
  const value = client.publishOf(group, "once", { seq: 1n, wantReport: true });
  return expectResult(await client.request({ case: "publish", value }), "publishResult");
}

async function back(server: TestServer, { welcome }: TestClient): Promise<TestClient> {
  const { sessionId, resumeSecret: secret } = welcome!;
  const client = await server.dial();
  await client.hello({ token: tokenFor("alice"), features: ["resume"], attempt: 2, resume: { sessionId, secret } });
  return client;
}

it("answers the repeat of a publish that is under way when that is known, and sends it once (FF-ID-011)", async () => {
  const { server, routed } = await serverThatTakesItsTime();
  await using _ = server;
  const first = await server.join("alice", { hello: { features: ["resume"] } });
  first.send({ id: 7, kind: { case: "publish", value: first.publishOf("lobby", "once", { seq: 1n }) } });
  await until(() => routed.length === 1, "the publish to be under way");
  const second = await back(server, first);
  const answer = publish(second, "lobby");
  await second.settle();
  expect(second.kinds).toEqual(["welcome", "pong"]);
  routed[0]?.(delivered);
  expect(await answer).toMatchObject({ outcome: Outcome.DELIVERED, repeated: true });
  expect(routed).toHaveLength(1);
});

it.each([
  [delivered, { outcome: Outcome.DELIVERED }],
  [failed, { outcome: Outcome.UNKNOWN, error: { code: ErrorCode.UNAVAILABLE } }],
])(
  "sends a repeat again whose first was under way at another node, and takes no refusal for that one's: %o",
  async (result, told) => {
    const { server, routed } = await serverThatTakesItsTime();
    await using _ = server;
    const alice = await server.join("alice");
    // As when the session came here.
    const session = server.hub().sessions.get(alice.welcome!.sessionId)!;
    session.results.leaveBehind(1);
    session.results.see(1, false);
    // Here it would not be admitted any more.
    const answer = publish(alice, "members-only:x");
    await until(() => routed.length === 1, "the repeat to be under way");
    routed[0]?.(result);
    expect(await answer).toMatchObject({ ...told, repeated: true });
    expect(await publish(alice, "members-only:x")).toMatchObject({ ...told, repeated: true });
    expect(routed).toHaveLength(1);
  },
);
