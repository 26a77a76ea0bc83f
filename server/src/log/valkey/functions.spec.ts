import { ErrorCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import {
  appendOf,
  type LogUnderTest,
  newChannel,
  outline,
  page,
  policyWith,
  stored,
} from "../../testing/log-under-test.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startStandalone, type ValkeyProcess, type ValkeyServers } from "../../testing/valkey-processes.ts";
import type { LogChannel } from "../message-log.ts";
import { functionPrefix, logFunctions } from "./log-functions.ts";
import { logKeys } from "./log-keys.ts";

describe.skipIf(requireTool("valkey-server") === undefined)("the functions of the log", () => {
  let servers: ValkeyServers;
  let valkey: ValkeyProcess;
  let under: LogUnderTest;

  beforeAll(async () => {
    servers = await startStandalone();
    valkey = servers.processes[0] as ValkeyProcess;
    under = await openValkeyLog(servers);
  }, 60_000);
  afterAll(async () => {
    await under?.[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
  });

  const keysOf = (channel: LogChannel) => logKeys("fanfare", channel);

  it("are loaded again when they are gone, without an error for anybody", async () => {
    const channel = newChannel();
    await stored(under.log, appendOf(channel, 1));
    await valkey.command("FUNCTION", "FLUSH");
    const appends = Array.from({ length: 50 }, (_, i) => stored(under.log, appendOf(channel, i + 2)));
    expect((await Promise.all(appends)).map(({ position }) => position.offset)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 2),
    );
    await valkey.command("FUNCTION", "FLUSH");
    expect((await page(under.log, channel)).items).toHaveLength(51);
    await valkey.command("FUNCTION", "FLUSH");
    await under.cursors.commit(channel, "ann", { epoch: 1, offset: 1, tag: 1 });
  });

  it("live beside those of another version, on the same keys", async () => {
    const channel = newChannel();
    await stored(under.log, appendOf(channel, 1));
    const later = logFunctions.source.replaceAll(functionPrefix, "fanfare_log_next");
    await valkey.command("FUNCTION", "LOAD", later);
    const { stream, meta } = keysOf(channel);
    const args = ["0", "77", "abc", "1", "", "0", "0", "body", "1000", "100000", "60000", "0", "60000", "100", "10"];
    expect(await valkey.command("FCALL", "fanfare_log_next_append", "2", stream, meta, ...args)).toMatch(
      /^stored .* 2-77 /,
    );
    await stored(under.log, appendOf(channel, 2));
    expect(outline((await page(under.log, channel)).items)).toBe("1 2 3");
    const libraries = await valkey.command("FUNCTION", "LIST");
    expect(libraries).toContain(functionPrefix);
    expect(libraries).toContain("fanfare_log_next");
  });

  it("leave nothing behind when the entry cannot be added", async () => {
    const channel = newChannel();
    await stored(under.log, appendOf(channel, 1));
    const { stream, meta } = keysOf(channel);
    const head = await valkey.command("XINFO", "STREAM", stream);
    const before = await valkey.command("HGETALL", meta);
    await valkey.command("ACL", "SETUSER", "default", "-xadd");
    try {
      await expect(under.log.append(appendOf(channel, 2))).rejects.toMatchObject({ code: ErrorCode.INTERNAL });
    } finally {
      await valkey.command("ACL", "SETUSER", "default", "+xadd");
    }
    expect(await valkey.command("HGETALL", meta)).toBe(before);
    expect(await valkey.command("XINFO", "STREAM", stream)).toBe(head);
    expect(await stored(under.log, appendOf(channel, 2))).toMatchObject({ repeated: false, position: { offset: 2 } });
  });

  it("take the entry back when its identity cannot be kept: readers skip it and nobody stores it twice", async () => {
    const channel = newChannel();
    const first = await stored(under.log, appendOf(channel, 1));
    await valkey.command("ACL", "SETUSER", "default", "-hset");
    try {
      await expect(under.log.append(appendOf(channel, 2))).rejects.toMatchObject({ code: ErrorCode.INTERNAL });
    } finally {
      await valkey.command("ACL", "SETUSER", "default", "+hset");
    }
    expect(outline((await page(under.log, channel, { from: first.position })).items)).toBe("2-2d");
    expect(await stored(under.log, appendOf(channel, 2))).toMatchObject({ repeated: false, position: { offset: 3 } });
    const { items } = await page(under.log, channel, { from: first.position });
    expect(outline(items)).toBe("2-2d 3");
    expect(items[0]).toMatchObject({ previousTag: first.position.tag, tag: items[1]?.previousTag });
  });

  it("store the message even when the trimming behind it fails, and trim at the next", async () => {
    const channel = newChannel();
    const policy = policyWith({ maxMessages: 2 });
    for (const seq of [1, 2]) await stored(under.log, appendOf(channel, seq, { policy }));
    await valkey.command("ACL", "SETUSER", "default", "-xtrim");
    try {
      for (const seq of [3, 4]) await stored(under.log, appendOf(channel, seq, { policy }));
    } finally {
      await valkey.command("ACL", "SETUSER", "default", "+xtrim");
    }
    expect(outline((await page(under.log, channel, { policy })).items)).toBe("3 4");
    await stored(under.log, appendOf(channel, 5, { policy }));
    expect(outline((await page(under.log, channel, { policy })).items)).toBe("4 5");
    expect(await valkey.command("XLEN", keysOf(channel).stream)).toBe("2");
  });

  it("refuse to append when memory is full, and still read, delete, clear and erase", async () => {
    const channel = newChannel();
    const { position } = await stored(under.log, appendOf(channel, 1));
    await under.cursors.commit(channel, "ann", position);
    await using impatient = await openValkeyLog(servers, { callTimeoutMs: 200 });
    await valkey.command("CONFIG", "SET", "maxmemory", "1");
    try {
      await expect(impatient.log.append(appendOf(channel, 2))).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
      expect(outline((await page(under.log, channel)).items)).toBe("1");
      expect(await under.log.deleteMessage(channel, policyWith(), position)).toBe("ok");
      expect((await under.log.clear(channel, policyWith())).offset).toBe(0);
      expect(await under.cursors.get(channel, "ann")).toEqual(position);
      await under.cursors.erasePlayer(channel.appId, "ann");
      await under.log.erase(channel);
    } finally {
      await valkey.command("CONFIG", "SET", "maxmemory", "0");
    }
  });

  describe("when keys are gone", () => {
    it("go on from the head if the stream has expired", async () => {
      const channel = newChannel();
      const policy = policyWith({ maxAgeS: 0.1 });
      const { position } = await stored(under.log, appendOf(channel, 1, { policy }));
      await under.elapse(150);
      await valkey.command("DEL", keysOf(channel).stream); // as its expiry would
      expect(await under.log.ends(channel, policy)).toEqual({ head: position, tail: position });
      const next = await stored(under.log, appendOf(channel, 2, { policy }));
      expect(next).toMatchObject({ position: { epoch: position.epoch, offset: 2 }, previousTag: position.tag });
    });

    it("begin a new epoch if the stream is gone too early, or the hash beside it", async () => {
      for (const lost of ["stream", "meta"] as const) {
        const channel = newChannel();
        const { position } = await stored(under.log, appendOf(channel, 1));
        await valkey.command("DEL", keysOf(channel)[lost]);
        const { head, tail } = await under.log.ends(channel, policyWith());
        expect(head).toEqual({ epoch: expect.any(Number), offset: 0, tag: 0 });
        expect(head.epoch).toBeGreaterThan(position.epoch);
        expect(tail).toEqual(head);
        expect(await stored(under.log, appendOf(channel, 2))).toMatchObject({ position: { offset: 1 } });
      }
    });

    it("expire with the retention: the entries first, the position 30 days later", async () => {
      const channel = newChannel();
      await stored(under.log, appendOf(channel, 1, { policy: policyWith({ maxAgeS: 1000 }) }));
      const { stream, meta } = keysOf(channel);
      const seconds = async (key: string) => Number(await valkey.command("TTL", key));
      expect(await seconds(stream)).toBeGreaterThanOrEqual(1050);
      expect(await seconds(stream)).toBeLessThanOrEqual(1060);
      expect(await seconds(meta)).toBeGreaterThanOrEqual(30 * 86_400 + 990);
      expect(await seconds(meta)).toBeLessThanOrEqual(30 * 86_400 + 1000);
    });
  });

  it("forget identities a generation at a time, so that their table stays bounded", async () => {
    const channel = newChannel();
    const { stream, meta } = keysOf(channel);
    const append = (origin: number, tag: number) => {
      const args = ["0", `${tag}`, `${origin}`, "1", "", "0", "0", "b", "9", "9999", "60000", "0", "600000", "4", "10"];
      return valkey.command("FCALL", `${functionPrefix}_append`, "2", stream, meta, ...args);
    };
    for (let origin = 1; origin <= 40; origin++) await append(origin, origin);
    const fields = (await valkey.command("HKEYS", meta)).split("\n").filter((field) => /^o[01]:/.test(field));
    expect(fields.length).toBeGreaterThanOrEqual(4);
    expect(fields.length).toBeLessThanOrEqual(8);
    for (let origin = 37; origin <= 40; origin++) expect(await append(origin, 99)).toMatch(/^repeated/);
  });
});
