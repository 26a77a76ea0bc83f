import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { systemClock } from "./clock.ts";
import type { ResolvedValkey } from "./config/resolved-valkey.ts";
import { createLog, type Log, silentLog } from "./observe/log.ts";
import { newAppChannel } from "./testing/broker-under-test.ts";
import { CertificateAuthority } from "./testing/certificate-authority.ts";
import { appendOf, newChannel, page, stored } from "./testing/log-under-test.ts";
import { freePorts, startCluster, startStandalone, until, ValkeyProcess } from "./testing/valkey-processes.ts";
import { ValkeyBackend } from "./valkey-backend.ts";

const openssl = requireTool("openssl");

/** The rule of the guide. */
const guide = readFileSync(join(import.meta.dirname, "../../docs/guide/valkey.md"), "utf8");
const rule = /```acl\nuser fanfare (.*)\n```/.exec(guide)?.[1]?.split(" ") ?? [];

async function open(
  valkey: Partial<ResolvedValkey> & Pick<ResolvedValkey, "addresses">,
  log: Log = silentLog,
): Promise<ValkeyBackend> {
  const defaults = { cluster: false, keyPrefix: "fanfare", requestTimeoutMs: 2000, laneTimeoutMs: 2000 };
  return await ValkeyBackend.open({ valkey: { ...defaults, ...valkey }, clock: systemClock, log });
}

/** Everything that a node does with Valkey, once. */
async function useAll({ broker, stores }: ValkeyBackend): Promise<void> {
  const [owner, record] = [1n, Buffer.from("record")];
  await broker.lanes.listen(owner, () => {});
  expect(broker.health.lanes.every(({ isUp }) => isUp)).toBe(true);
  expect(await broker.registry.renew(owner, record)).not.toContain(undefined);
  await broker.registry.remove(owner);
  const channel = newAppChannel();
  await broker.routes.add(channel, owner, 1);
  expect(await broker.routes.read(channel)).toEqual([owner]);
  await broker.routes.add(channel, 2n, 1);
  expect(await broker.routes.sweep(2n, AbortSignal.timeout(10_000))).toBe(1);
  await broker.routes.remove(channel, owner, 2);
  const session = { appId: "game", sessionId: "s", attempt: 1, owner, record, lifeMs: 1000 };
  await broker.sessions.claim({ ...session, expects: "new" });
  await broker.sessions.extend("game", "s", owner, 5000);
  await broker.sessions.end("game", "s", owner, { code: 4007, lifeMs: 100 });
  const { memberships, standing, settings } = broker;
  await memberships.add("game", "ann", "chat:x", 10);
  expect((await memberships.playersOf("game", "chat:x", undefined, 10)).names).toEqual(["ann"]);
  await memberships.remove("game", "ann", "chat:x");
  expect((await memberships.groupsOf("game", "ann")).groups).toEqual([]);
  await standing.ban("game", "ann", Number.POSITIVE_INFINITY, "");
  await standing.ban("game", "ann", systemClock.nowMs() + 1000, "");
  await standing.revoke("game", "ann", 1, 1000);
  await standing.unban("game", "ann");
  await standing.get("game", "ann");
  await settings.setNamespace("game", "chat", "removed");
  expect((await settings.read()).version).toBe(await settings.version());

  const { messageLog, cursorStore } = stores;
  const log = newChannel();
  const { policy } = appendOf(log, 1);
  const { position } = await stored(messageLog, appendOf(log, 1, { idempotencyKey: "key" }));
  await stored(messageLog, appendOf(log, 1));
  for (const direction of ["forward", "backward"] as const) await page(messageLog, log, { direction });
  const short = { ...policy, retention: { ...policy.retention, maxMessages: 2 } };
  for (const seq of [2, 3, 4, 5]) await stored(messageLog, appendOf(log, seq, { policy: short }));
  await messageLog.rewind(log, policy, 1);
  const { head } = await messageLog.ends(log, policy);
  expect(await messageLog.deleteMessage(log, policy, head)).toBe("ok");
  await messageLog.clear(log, policy);
  await cursorStore.commit(log, "ann", position);
  await cursorStore.get(log, "ann");
  await cursorStore.erasePlayer("game", "ann");
  await messageLog.erase(log);
}

describe.skipIf(requireTool("valkey-server") === undefined)(
  "a user with what the guide grants, and nothing else",
  () => {
    for (const [name, start] of [
      ["one Valkey with a replica", () => startStandalone(1)],
      ["a Valkey cluster, 3 + 3", startCluster],
    ] as const) {
      it(`can do everything on ${name}`, async () => {
        await using servers = await start();
        for (const process of servers.processes) {
          expect(await process.command("ACL", "SETUSER", "fanfare", ...rule)).toBe("OK");
          await process.command("ACL", "SETUSER", "default", "nopass", "+@all"); // the test's own
        }
        const credentials = { username: "fanfare", password: "password" };
        const access = { addresses: servers.addresses, cluster: servers.isCluster };
        await using backend = await open({ ...access, credentials });
        await useAll(backend);
        for (const process of servers.processes) expect(await process.command("ACL", "LOG")).toBe("");
        const wrong = open({ ...access, credentials: { ...credentials, password: "wrong" } });
        await expect(wrong).rejects.toMatchObject({ code: ErrorCode.UNAUTHENTICATED });
      }, 60_000);
    }

    it("is told apart from a wrong password where a permission is missing, by the words of Valkey", async () => {
      await using servers = await startStandalone();
      const [process] = servers.processes as [ValkeyProcess];
      const without = (left: string) =>
        process.command("ACL", "SETUSER", "fanfare", "reset", ...rule.filter((part) => part !== left));
      const access = { addresses: servers.addresses, credentials: { username: "fanfare", password: "password" } };
      for (const command of ["info", "function|load"]) {
        await without(`+${command}`);
        await expect(open(access)).rejects.toMatchObject({
          code: ErrorCode.PERMISSION_DENIED,
          message: expect.stringMatching(`ACL.*no permissions to run the '${command.replace("|", "\\|")}'`),
        });
      }
      await without("+xadd");
      const lines: unknown[] = [];
      const log = createLog({ level: "warn", sink: ({ fields }) => lines.push(fields.reason), nowMs: Date.now });
      await using backend = await open(access, log);
      for (const seq of [1, 2]) await backend.stores.messageLog.append(appendOf(newChannel(), seq)).catch(() => {});
      expect(lines).toEqual([expect.stringContaining("no permissions to run the 'xadd'")]);
    });

    for (const [name, start] of [
      ["one Valkey", startStandalone],
      ["a Valkey cluster, 3 + 3", startCluster],
    ] as const) {
      it(`is enough to be warned of ${name} that throws keys away`, async () => {
        await using servers = await start();
        for (const process of servers.processes) {
          await process.command("ACL", "SETUSER", "fanfare", ...rule);
          await process.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
        }
        const policies: unknown[] = [];
        const log = createLog({ level: "warn", sink: ({ fields }) => policies.push(fields.policy), nowMs: Date.now });
        const credentials = { username: "fanfare", password: "password" };
        await using _ = await open({ addresses: servers.addresses, cluster: servers.isCluster, credentials }, log);
        const lru = Array.from({ length: servers.isCluster ? 3 : 1 }, () => "allkeys-lru");
        await until(async () => policies.length >= lru.length);
        expect(policies).toEqual(lru);
      }, 60_000);
    }

    it("is told what Valkey says that has no memory left, and nothing of addresses and TLS", async () => {
      await using servers = await startStandalone();
      await servers.processes[0]?.command("CONFIG", "SET", "maxmemory", "1");
      await expect(open({ addresses: servers.addresses })).rejects.toMatchObject({
        code: ErrorCode.UNAVAILABLE,
        message: expect.stringMatching(/^Valkey at \S+ refuses what a node needs \(OOM: [^)]*\)$/),
      });
    });

    it("can reach no other keys and channels", async () => {
      await using servers = await startStandalone();
      const [process] = servers.processes as [ValkeyProcess];
      await process.command("ACL", "SETUSER", "fanfare", ...rule);
      const dryRun = (...command: string[]) => process.command("ACL", "DRYRUN", "fanfare", ...command);
      expect(await dryRun("HGET", "fanfare:{a}:route", "x")).toBe("OK");
      for (const command of [
        ["HGET", "other", "x"],
        ["PUBLISH", "other", "x"],
        ["FLUSHALL"],
        ["FUNCTION", "FLUSH"],
        ["CONFIG", "GET", "*"],
        ["KEYS", "*"],
        ["CLUSTER", "RESET"],
      ]) {
        expect(await dryRun(...command)).toMatch(/no permissions/);
      }
    });
  },
);

describe.skipIf(openssl === undefined || requireTool("valkey-server") === undefined)("TLS", () => {
  for (const cluster of [false, true]) {
    it(`protects everything that a node says to ${cluster ? "a cluster" : "one Valkey"}, with a certificate authority of one's own`, async () => {
      using authority = new CertificateAuthority(openssl as string);
      const { authorityFile, certificateFile, keyFile } = authority;
      const [port = 0] = await freePorts(1);
      const files = [
        "--tls-cert-file",
        certificateFile,
        "--tls-key-file",
        keyFile,
        "--tls-ca-cert-file",
        authorityFile,
      ];
      const tls = ["--tls-port", `${port}`, ...files, "--tls-auth-clients", "no"];
      const clustered = cluster ? ["--cluster-enabled", "yes", "--tls-cluster", "yes"] : [];
      await using process = await ValkeyProcess.start([...tls, ...clustered]);
      if (cluster) {
        await process.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        await until(async () => /cluster_state:ok/.test(await process.command("CLUSTER", "INFO")));
      }
      const access = { addresses: [{ host: "127.0.0.1", port }], cluster, tls: true };
      await using backend = await open({ ...access, certificateAuthorityFile: authorityFile });
      await useAll(backend);
      const clients = (await process.command("CLIENT", "LIST")).split("\n");
      expect(clients.filter((line) => line.includes(`laddr=127.0.0.1:${port}`)).length).toBeGreaterThanOrEqual(7);
      await expect(open(access)).rejects.toMatchObject({
        code: ErrorCode.UNAVAILABLE,
        message: expect.stringMatching("TLS and its certificate, and maxclients"),
      });
      const missing = open({ ...access, certificateAuthorityFile: "/nowhere.pem" });
      await expect(missing).rejects.toMatchObject({ field: "valkey.certificate_authority_file" });
    }, 60_000);
  }
});
