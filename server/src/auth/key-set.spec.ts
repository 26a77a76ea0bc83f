import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ErrorCode } from "@fanfare/proto/v1";
import { afterEach, describe, expect, it } from "vitest";
import { createLog, type LogEntry } from "../observe/log.ts";
import { readKeySet } from "./json-web-keys.ts";
import { KeySet } from "./key-set.ts";
import { fetchKeySet } from "./key-set-fetch.ts";

const { publicKey: ed } = generateKeyPairSync("ed25519");
const { publicKey: ec } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { publicKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const { publicKey: weak } = generateKeyPairSync("rsa", { modulusLength: 1024 });

function jwk(key: KeyObject, kid: string | undefined, more: object = {}) {
  return { ...key.export({ format: "jwk" }), ...(kid === undefined ? {} : { kid }), ...more };
}

/** A key set over an address that a test answers. */
function keySet(answers: (() => Promise<string>)[]) {
  const state = { nowMs: 0, fetches: 0, logged: [] as LogEntry[], timers: new Set<() => void>() };
  const set = new KeySet({
    url: "https://keys.example/",
    clock: {
      monotonicMs: () => state.nowMs,
      setTimer: (_, callback) => {
        state.timers.add(callback);
        return { cancel: () => void state.timers.delete(callback) };
      },
    },
    fetch: (_, signal) => {
      const answer = answers[state.fetches++] ?? (() => Promise.reject(new Error("no more answers")));
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      return Promise.race([answer(), aborted]);
    },
    log: createLog({ level: "debug", nowMs: () => 0, sink: (entry) => state.logged.push(entry) }),
  });
  return { set, state };
}

const answer =
  (...keys: object[]) =>
  () =>
    Promise.resolve(JSON.stringify({ keys }));
const failure = () => Promise.reject(new Error("refused"));
const unavailable = expect.objectContaining({ code: ErrorCode.UNAVAILABLE });

describe("KeySet", () => {
  it("fetches when a key is not known, and once for many questions at a time", async () => {
    const { set, state } = keySet([answer(jwk(ed, "k1"), jwk(ec, "k2"))]);
    const found = await Promise.all(["k1", "k2", "k1"].map((id) => set.find(id)));
    expect(found.map((key) => key?.algorithm)).toEqual(["EdDSA", "ES256", "EdDSA"]);
    await set.find("k2");
    expect(state.fetches).toBe(1);
    expect(state.timers.size).toBe(0);
  });

  it("says that a key does not exist only when it knows", async () => {
    const { set, state } = keySet([answer(jwk(ed, "k1")), answer(jwk(ed, "k1"), jwk(ec, "k2"))]);
    expect(await set.find("k2")).toBeUndefined();
    state.nowMs = 29_999;
    await expect(set.find("k2")).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE, retryAfterMs: 1 });
    expect(state.fetches).toBe(1);
    state.nowMs = 30_000;
    expect((await set.find("k2"))?.algorithm).toBe("ES256");
  });

  it("keeps its keys when a fetch fails, and says that it does not know the others", async () => {
    const { set, state } = keySet([answer(jwk(ed, "k1")), failure, () => Promise.resolve("<html>")]);
    await set.find("k1");
    state.nowMs = 40_000;
    await expect(set.find("k2")).rejects.toEqual(unavailable);
    state.nowMs = 80_000;
    await expect(set.find("k2")).rejects.toEqual(unavailable);
    expect((await set.find("k1"))?.algorithm).toBe("EdDSA");
    expect(state.logged.map(({ level, fields }) => [level, fields.keys])).toEqual([
      ["warn", 1],
      ["warn", 1],
    ]);
  });

  it("fetches anew behind the scenes after five minutes, so that a withdrawn key stops working", async () => {
    const { set, state } = keySet([answer(jwk(ed, "k1")), answer(jwk(ec, "k2"))]);
    await set.find("k1");
    state.nowMs = 300_000;
    expect((await set.find("k1"))?.algorithm).toBe("EdDSA");
    expect((await set.find("k2"))?.algorithm).toBe("ES256");
    await expect(set.find("k1")).rejects.toEqual(unavailable);
    expect(state.fetches).toBe(2);
  });

  it("gives up on an address that does not answer", async () => {
    const { set, state } = keySet([() => new Promise(() => {})]);
    const asked = set.find("k1");
    for (const fire of state.timers) fire();
    await expect(asked).rejects.toEqual(unavailable);
  });
});

describe("readKeySet", () => {
  it("leaves out what cannot be used, and keeps the rest", () => {
    const keys = readKeySet({
      keys: [
        null,
        "text",
        jwk(ed, undefined),
        jwk(ed, ""),
        jwk(ed, "x".repeat(129)),
        jwk(rsa, "encryption", { use: "enc" }),
        jwk(rsa, "other-algorithm", { alg: "RS512" }),
        jwk(weak, "weak"),
        { kty: "oct", kid: "secret", k: "c2VjcmV0", alg: "HS256" },
        { kty: "RSA", kid: "broken", n: 1 },
        jwk(rsa, "good", { use: "sig", alg: "RS256" }),
        jwk(ed, "good"),
      ],
    });
    expect([...keys].map(([id, { algorithm }]) => [id, algorithm])).toEqual([["good", "RS256"]]);
  });

  it("reads at most 64 keys", () => {
    expect(readKeySet({ keys: Array.from({ length: 100 }, (_, i) => jwk(ed, `k${i}`)) }).size).toBe(64);
  });

  it("refuses what is no key set", () => {
    for (const value of [null, [], "x", { keys: {} }]) expect(() => readKeySet(value)).toThrow(TypeError);
  });
});

describe("fetchKeySet", () => {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const server of open.splice(0)) server.close();
  });

  async function served(handle: Parameters<typeof createServer>[1]): Promise<string> {
    const server = createServer(handle as never);
    open.push({ close: () => server.closeAllConnections() }, server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  }
  const fetched = (url: string) => fetchKeySet(url, new AbortController().signal);

  it("gives the text", async () => {
    const url = await served(((_: unknown, response: { end(text: string): void }) =>
      response.end('{"keys":[]}')) as never);
    expect(await fetched(url)).toBe('{"keys":[]}');
  });

  it("refuses redirects, other statuses, and answers without end", async () => {
    const redirect = await served(((_: unknown, response: { writeHead(code: number, h: object): { end(): void } }) =>
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end()) as never);
    await expect(fetched(redirect)).rejects.toThrow();
    const missing = await served(((_: unknown, response: { writeHead(code: number): { end(): void } }) =>
      response.writeHead(404).end()) as never);
    await expect(fetched(missing)).rejects.toThrow(/status 404/);
    const endless = await served(((_: unknown, response: NodeJS.WritableStream) => {
      const more = () => {
        while (response.write("x".repeat(65_536)));
        response.once("drain", more);
      };
      more();
    }) as never);
    await expect(fetched(endless)).rejects.toThrow(/more than 262144 bytes/);
  });
});
