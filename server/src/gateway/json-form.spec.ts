import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const protocol = "fanfare.v1.json";

/** A client whose every message is kept as the text that came. */
async function join(server: TestServer): Promise<{ client: TestClient; texts: string[] }> {
  const client = await server.join("alice", { protocol });
  const texts: string[] = [];
  client.onText = (text) => texts.push(text);
  return { client, texts };
}

describe("the JSON form", () => {
  it("takes names in both spellings, numbers as text and as numbers, null for absent, and what it does not know", async () => {
    await using server = await startTestServer();
    const client = await server.dial({ protocol });
    const token = tokenFor("alice");
    client.sendRaw(
      JSON.stringify({
        more: [1, { deep: null }],
        frames: [
          {
            id: null,
            hello: {
              token,
              attempt: "1",
              max_revision: 1,
              minRevision: null,
              heartbeat_interval_ms: 30000.0,
              later: {},
            },
          },
        ],
      }),
    );
    expect((await client.frame("welcome")).heartbeatIntervalMs).toBe(30_000);
    await client.subscribe("lobby");
    for (const seq of [1, "2", 3.0]) {
      const channel = { group: "lobby", alias: "x" };
      client.sendRaw(
        JSON.stringify({ frames: [{ publish: { channel, seq, exclude_self: false, payload: { text: `${seq}` } } }] }),
      );
    }
    await client.settle();
    expect(client.messages.map(({ seq }) => Number(seq))).toEqual([1, 2, 3]);
  });

  it("takes a member of a oneof that is null for one that is not there [FF-JS-006]", async () => {
    await using server = await startTestServer();
    const { client } = await join(server);
    const subscribe = { channel: { player: null, group: "lobby", broadcast: null } };
    client.sendRaw(JSON.stringify({ frames: [{ id: 7, ping: null, subscribe, pong: null }] }));
    await client.settle();
    expect(client.kinds).toEqual(["welcome", "reply", "pong"]);
  });

  it("takes every message without a frame", async () => {
    await using server = await startTestServer();
    const { client } = await join(server);
    for (const text of ["{}", '{"frames":[]}', '{"frames":null}', ' {\n"x":1 } ']) client.sendRaw(text);
    await client.settle();
    expect(client.kinds).toEqual(["welcome", "pong"]);
  });

  it("closes with 4001 at what is no such message", async () => {
    await using server = await startTestServer();
    const broken = [
      "",
      " ",
      "null",
      "[]",
      "1",
      '"x"',
      '{"frames":[null]}',
      '{"frames":[1]}',
      '{"frames":[{"ping":1}]}',
    ];
    broken.push(
      '{"frames":[{"ping":{},"pong":{}}]}',
      '{"frames":[{"id":4294967296}]}',
      '{"frames":[{"id":1.5}]}',
      "{}{}",
    );
    for (const text of broken) {
      const { client } = await join(server);
      client.sendRaw(text);
      expect((await client.ended()).code, text).toBe(CloseCode.PROTOCOL_ERROR);
    }
  });

  it("repeats nothing of what it could not decode, which may be a token", async () => {
    await using server = await startTestServer();
    const secret = "eyJhbGciOiJIUzI1NiJ9";
    for (const text of [
      `{"frames":[{"hello":"${secret}"}]}`,
      `{"frames":[{"hello":{"attempt":"${secret}"}}]}`,
      `{"frames":[{"hello":{"token":"${secret}","x":}]}`,
      `{"frames":[{"hello":{"token":"${secret}`,
      `{"${secret}"`,
      secret,
    ]) {
      const client = await server.dial({ protocol });
      client.sendRaw(text);
      const { code, reason } = await client.ended();
      expect(code).toBe(CloseCode.PROTOCOL_ERROR);
      const told = [
        reason,
        ...client.frames.map(({ kind }) => (kind.case === "error" ? kind.value.message : "")),
      ].join();
      for (let i = 0; i + 6 < secret.length; i++) expect(told).not.toContain(secret.slice(i, i + 6));
      expect(told).not.toBe("");
    }
  });

  it("writes one object with lowerCamelCase names, 64-bit integers as text and enums as numbers", async () => {
    await using server = await startTestServer();
    const { client, texts } = await join(server);
    await client.subscribe("lobby");
    await client.publish("lobby", "ä");
    await client.settle();
    const frames = texts.flatMap((text) => JSON.parse(text).frames as Record<string, Record<string, unknown>>[]);
    const message = frames.find((frame) => frame.message)?.message as Record<string, unknown>;
    expect(message).toMatchObject({
      channel: { group: "lobby" },
      origin: `${client.welcome!.origin}`,
      seq: "1",
      from: "alice",
      payload: { text: "ä" },
    });
    expect(typeof message.sentAtMs).toBe("string");
    const result = frames.find((frame) => frame.reply?.publishResult)?.reply?.publishResult;
    expect(result).toEqual({ outcome: 1 });
  });

  it("joins frames that come in one turn, each message under 64 KiB of bytes", async () => {
    await using server = await startTestServer({ limits: { publishBurst: 1000 } });
    const { client, texts } = await join(server);
    await client.subscribe("lobby");
    const count = 60;
    const text = "☕".repeat(1_000);
    const publishes = Array.from({ length: count }, () => ({
      kind: { case: "publish" as const, value: client.publishOf("lobby", text) },
    }));
    for (let i = 0; i < count; i += 20) client.send(...publishes.slice(i, i + 20));
    await until(() => client.messages.length === count, "every message");
    expect(texts.length).toBeLessThan(count);
    for (const one of texts) {
      if (JSON.parse(one).frames.length > 1) expect(Buffer.byteLength(one)).toBeLessThan(65_536);
    }
  });

  it("answers a ping under id 0 too", async () => {
    await using server = await startTestServer();
    for (const one of [protocol, "fanfare.v1.proto"]) {
      const client = await server.join("alice", { protocol: one });
      client.send({ kind: { case: "ping", value: { sentAtUs: 5n } } });
      expect((await client.frame("pong")).pingSentAtUs).toBe(5n);
    }
  });
});
