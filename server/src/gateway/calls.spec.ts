import { ErrorCode, type RpcResult } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import type { TestClient } from "../testing/test-client.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const hello = { hello: { features: ["server_rpc", "resume"] } };
const text = (value: string) => ({ type: "t", data: { case: "text" as const, value } });

function call(server: TestServer, client: TestClient, deadlineMs = 5_000): Promise<RpcResult> {
  const session = server.hub().sessions.get(client.welcome!.sessionId)!;
  return session.calls.call(session.link!, { method: "ask", payload: undefined, deadlineMs });
}

async function codeOf(result: Promise<RpcResult>): Promise<string | undefined> {
  const { result: one } = await result;
  return one.case === "error" ? ErrorCode[one.value.code] : one.case;
}

describe("a call of the backend", () => {
  for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
    it(`is answered by the client, in any order, in ${protocol}`, async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol, ...hello });
      const [one, two] = [call(server, client, 1_234), call(server, client)];
      const first = await client.next(({ kind }) => kind.case === "rpc");
      const second = await client.next(({ kind }) => kind.case === "rpc");
      expect(first.kind.value).toMatchObject({ method: "ask", deadlineMs: 1_234 });
      client.send({
        id: second.id,
        kind: { case: "rpcResult", value: { result: { case: "payload", value: text("2") } } },
      });
      const error = { code: ErrorCode.UNKNOWN_METHOD, message: "what?" };
      client.send({ id: first.id, kind: { case: "rpcResult", value: { result: { case: "error", value: error } } } });
      expect((await two).result).toMatchObject({ case: "payload", value: text("2") });
      expect((await one).result).toMatchObject({ case: "error", value: error });
    });
  }

  it("has an id that no ping of the connection has", async () => {
    await using server = await startTestServer({ timing: { heartbeatIntervalMs: 100 } });
    const client = await server.join("alice", { ...hello, autoPong: false });
    const ping = await client.next(({ kind }) => kind.case === "ping");
    void call(server, client);
    const rpc = await client.next(({ kind }) => kind.case === "rpc");
    expect(rpc.id).not.toBe(0);
    expect(rpc.id).not.toBe(ping.id);
    // A pong under the call's id answers neither.
    client.send({ id: rpc.id, kind: { case: "pong", value: {} } });
    await client.settle();
  });

  it("fails at its deadline, and a late or forged answer does no harm", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice", hello);
    const result = call(server, client, 20);
    const { id } = await client.next(({ kind }) => kind.case === "rpc");
    expect(await codeOf(result)).toBe("DEADLINE_EXCEEDED");
    for (const late of [id, id + 1, 0, 0xffff_ffff]) {
      client.send({
        id: late,
        kind: { case: "rpcResult", value: { result: { case: "payload", value: text("late") } } },
      });
    }
    await client.settle();
    expect(client.kinds).toEqual(["welcome", "rpc", "pong"]);
  });

  it("fails when the connection that was asked ends", async () => {
    await using server = await startTestServer();
    for (const end of [(client: TestClient) => client.cut(), (client: TestClient) => void client.close(4000)]) {
      const client = await server.join("alice", hello);
      const result = call(server, client, 60_000);
      await client.frame("rpc");
      end(client);
      expect(await codeOf(result)).toBe("DEADLINE_EXCEEDED");
    }
  });
});
