import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import type { Settings, SettingsStore } from "../broker/settings-store.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { NamespaceRegistry } from "../namespace/namespace-registry.ts";
import { createLog, type LogEntry } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { SettingsSync } from "./settings-sync.ts";

/** A store whose reads are answered when the test says so. */
function setUp() {
  const clock = new VirtualClock();
  const reads: PromiseWithResolvers<Settings>[] = [];
  const looks: PromiseWithResolvers<number>[] = [];
  const applied: string[][] = [];
  const losses: boolean[] = [];
  const logged: LogEntry[] = [];
  const store = {
    read: () => {
      reads.push(Promise.withResolvers());
      return reads.at(-1)!.promise;
    },
    version: () => {
      looks.push(Promise.withResolvers());
      return looks.at(-1)!.promise;
    },
  } as Partial<SettingsStore> as SettingsStore;
  const namespaces = { put: () => true, reset: () => {} } as Partial<NamespaceRegistry> as NamespaceRegistry;
  const sync = new SettingsSync({
    store,
    applyApps: (definitions, hasLost) => {
      applied.push([...definitions.keys()]);
      losses.push(hasLost);
    },
    namespacesOf: (appId) => (appId === "configured" ? namespaces : undefined),
    clock,
    log: createLog({ level: "info", sink: (entry) => logged.push(entry), nowMs: () => 0 }),
  });
  const settings = (version: number, ...apps: string[]): Settings => ({
    version,
    apps: apps.map((appId) => ({ appId, definition: Buffer.from(appId), namespaces: new Map() })),
  });
  return { clock, reads, looks, applied, losses, logged, sync, settings };
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe("SettingsSync", () => {
  it("reads once for all who come while a read is under way, and one at a time, so that the newest comes last", async () => {
    const { reads, applied, sync, settings } = setUp();
    const first = sync.refresh();
    const rest = [sync.refresh(), sync.refresh(), sync.atLeast(2)];
    await turns();
    expect(reads.length).toBe(1);
    reads[0]?.resolve(settings(1, "one"));
    expect(await first).toBe(1);
    await turns();
    expect(reads.length).toBe(2);
    reads[1]?.resolve(settings(2, "one", "two"));
    expect(await Promise.all(rest)).toEqual([2, 2, undefined]);
    expect(applied).toEqual([["one"], ["one", "two"]]);
    expect([reads.length, sync.version]).toEqual([2, 2]);
  });

  it("finds out by itself what nobody has told", async () => {
    const { clock, reads, looks, applied, sync, settings } = setUp();
    const opened = sync.open();
    reads[0]?.resolve(settings(1, "one"));
    await opened;
    for (const [i, version] of [1, 2].entries()) {
      clock.advance(5_000);
      clock.advance(200);
      await turns();
      expect(looks).toHaveLength(i + 1);
      looks[i]?.resolve(version);
      await turns();
    }
    reads[1]?.resolve(settings(2, "one", "two"));
    await turns();
    expect(applied.at(-1)).toEqual(["one", "two"]);
    sync.close();
    clock.advance(60_000);
    await turns();
    expect(looks).toHaveLength(2);
  });

  it("goes by what the store has when a failover has lost the newest", async () => {
    const { reads, applied, sync, settings } = setUp();
    for (const [i, state] of [settings(9, "one", "two"), settings(5, "one")].entries()) {
      const refreshed = sync.refresh();
      reads[i]?.resolve(state);
      expect(await refreshed).toBe(state.version);
    }
    expect(applied.at(-1)).toEqual(["one"]);
    const later = sync.atLeast(20);
    await turns();
    reads[2]?.resolve(settings(6, "one"));
    await later;
    expect(reads.length).toBe(3);
  });

  it("waits for a version that it has had before the store lost it", async () => {
    const { reads, applied, sync, settings } = setUp();
    for (const [i, state] of [settings(9, "one"), settings(0)].entries()) {
      const refreshed = sync.refresh();
      reads[i]?.resolve(state);
      await refreshed;
    }
    const put = sync.atLeast(1);
    await turns();
    reads[2]?.resolve(settings(1, "two"));
    await put;
    expect([applied.at(-1), sync.version]).toEqual([["two"], 1]);
  });

  it("tells once what the store has lost as a whole, as nobody has deleted it", async () => {
    const { reads, losses, logged, sync, settings } = setUp();
    const namespaces = new Map([["arena", new Uint8Array()]]);
    const configured = { appId: "configured", definition: undefined, namespaces };
    const full = settings(9, "one", "two");
    const states = [{ ...full, apps: [...full.apps, configured] }, settings(0), settings(0), settings(1, "one")];
    for (const [i, state] of states.entries()) {
      const refreshed = sync.refresh();
      reads[i]?.resolve(state);
      await refreshed;
    }
    expect(losses).toEqual([false, true, false, false]);
    expect(logged).toMatchObject([
      {
        level: "warn",
        message: expect.stringContaining("valkey has lost apps, namespaces"),
        fields: { apps: ["one", "two"], appCount: 2, namespaces: ["configured/arena"], namespaceCount: 1 },
      },
    ]);
  });

  it("says nothing of apps that somebody has deleted, also after the store had lost others", async () => {
    const { reads, losses, logged, sync, settings } = setUp();
    const many = Array.from({ length: 30 }, (_, i) => `app-${i}`);
    for (const [i, state] of [settings(9, "one", ...many), settings(2, "one"), settings(3)].entries()) {
      const refreshed = sync.refresh();
      reads[i]?.resolve(state);
      await refreshed;
    }
    expect(losses).toEqual([false, true, false]);
    expect(logged.map(({ fields }) => fields)).toMatchObject([{ apps: many.slice(0, 20), appCount: 30 }]);
  });

  it("tries again a second after it could not read what it has heard of", async () => {
    const { clock, reads, sync, settings } = setUp();
    const heard = sync.atLeast(3);
    await turns();
    reads[0]?.reject(new FanfareError(ErrorCode.UNAVAILABLE, "out of reach"));
    await heard;
    await clock.advance(999);
    expect(reads.length).toBe(1);
    await clock.advance(1);
    await turns();
    reads[1]?.resolve(settings(3));
    await turns();
    expect(sync.version).toBe(3);
  });

  it("shares a look among all who ask within a fifth of a second, and reads only if there is something new", async () => {
    const { clock, reads, looks, sync, settings } = setUp();
    const asked = Array.from({ length: 100 }, () => sync.lookAgain());
    await clock.advance(0);
    expect(looks.length).toBe(1);
    looks[0]?.resolve(0);
    await Promise.all(asked);
    expect(reads.length).toBe(0);
    const again = sync.lookAgain();
    await clock.advance(199);
    expect(looks.length).toBe(1);
    await clock.advance(1);
    looks[1]?.resolve(4);
    await turns();
    reads[0]?.resolve(settings(4, "one"));
    await again;
    expect(sync.version).toBe(4);
  });

  it("tells who asks that it cannot be known now", async () => {
    const { clock, looks, sync } = setUp();
    const asked = sync.lookAgain();
    asked.catch(() => {});
    await clock.advance(0);
    looks[0]?.reject(new FanfareError(ErrorCode.UNAVAILABLE, "out of reach"));
    await expect(asked).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
  });
});
