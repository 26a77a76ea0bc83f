import { Scope } from "@fanfare/proto/config/v1";
import type { WatchEventsResponse } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { ApiKeys, type Caller } from "../auth/api-keys.ts";
import type { ControlNode } from "./control-context.ts";
import { ControlFixture, group, masterKey, refusalNames } from "./testing/control-fixture.ts";
import { EventWatchers } from "./watch-events.ts";

interface Stream {
  next(): Promise<WatchEventsResponse["event"] | "end">;
  /** Cases of the next events. */
  cases(count: number): Promise<(string | undefined)[]>;
  cancel(): void;
}

/** A stream that stands. */
async function watch(
  fixture: ControlFixture,
  request: { playerId?: string; group?: string } = {},
  key = masterKey("game"),
): Promise<Stream> {
  const abort = new AbortController();
  const iterator = fixture.client(key).watchEvents(request, { signal: abort.signal })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await iterator.next();
    return done ? ("end" as const) : (value as WatchEventsResponse).event;
  };
  expect(await next()).toBeUndefined();
  const cases = async (count: number) => {
    const all: (string | undefined)[] = [];
    for (let i = 0; i < count; i++) {
      const event = await next();
      all.push(event === "end" ? "end" : event?.event.case);
    }
    return all;
  };
  return { next, cases, cancel: () => abort.abort() };
}

describe("WatchEvents", () => {
  it("tells what happens to a session, in order", async () => {
    await using fixture = await ControlFixture.start();
    const stream = await watch(fixture);
    const ann = await fixture.player("ann", { subscriptions: [{ channel: group("chat:a") }] });
    const opened = await stream.next();
    expect(opened).toMatchObject({
      nodeId: "n1",
      event: { case: "sessionOpened", value: { playerId: "ann", sessionId: ann.welcome.sessionId } },
    });
    await fixture.client().joinGroup({ playerId: "ann", group: "team:a" });
    expect(await stream.cases(3)).toEqual(["subscribed", "membershipJoined", "subscribed"]);
    ann.cut();
    expect(await stream.next()).toMatchObject({ event: { case: "sessionDetached", value: { closeCode: 1006 } } });
    const resume = { sessionId: ann.welcome.sessionId, secret: ann.welcome.resumeSecret };
    await fixture.player("ann", { attempt: 2, resume });
    expect((await stream.cases(2)).toSorted()).toEqual(["sessionResumed", "unsubscribed"]);
    await fixture.client().disconnect({ target: { case: "playerId", value: "ann" } });
    expect(await stream.next()).toMatchObject({ event: { case: "unsubscribed", value: { group: "team:a" } } });
    expect(await stream.next()).toMatchObject({ event: { case: "sessionClosed", value: { reason: "kicked" } } });
    stream.cancel();
  });

  it("tells of one player or one group alone, and of no other app", async () => {
    await using fixture = await ControlFixture.start();
    const ofBob = await watch(fixture, { playerId: "bob" });
    const ofGroup = await watch(fixture, { group: "chat:b" });
    const ofOther = await watch(fixture, {}, masterKey("other"));
    await fixture.player("ann", { subscriptions: [{ channel: group("chat:a") }, { channel: group("chat:b") }] });
    await fixture.player("bob", { subscriptions: [{ channel: group("chat:a") }] });
    await fixture.player("zed", { appId: "other" });
    expect(await ofBob.next()).toMatchObject({ event: { case: "sessionOpened", value: { playerId: "bob" } } });
    expect(await ofGroup.next()).toMatchObject({ event: { case: "subscribed", value: { playerId: "ann" } } });
    expect(await ofOther.next()).toMatchObject({ event: { value: { playerId: "zed" } } });
    for (const stream of [ofBob, ofGroup, ofOther]) stream.cancel();
  });

  it("ends when the node drains, and says so first to whoever watches everything", async () => {
    await using fixture = await ControlFixture.start();
    await fixture.player("ann");
    const stream = await watch(fixture);
    const ofOne = [await watch(fixture, { playerId: "ann" }), await watch(fixture, { group: "chat:a" })];
    await fixture.client().drain({});
    for (const one of ofOne) expect(await one.next()).toBe("end");
    expect(await stream.next()).toMatchObject({ event: { case: "nodeChanged", value: { node: { state: 2 } } } });
    expect(await stream.next()).toBe("end");
    const again = fixture.client().watchEvents({})[Symbol.asyncIterator]();
    expect(await refusalNames(again.next())).toBe("Unavailable DRAINING");
  });
});

/** Watchers over a hub whose events a test makes. */
function watchers() {
  const listeners = new Set<(event: object) => void>();
  const app = {
    hub: {
      events: {
        listen(listener: (event: object) => void) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
    },
  } as never;
  const apiKeys = new ApiKeys();
  const keyOf = (id: string) => ({ id, sha256: Buffer.from(id), scopes: new Set([Scope.READ]) });
  const callerOf = (appId: string): Caller => ({ appId, keyId: "key", ...keyOf(`key of ${appId}`) });
  apiKeys.set({ id: "a", apiKeys: [keyOf("key of a")] });
  const appTable = { areTenants: false };
  const node = { clock: { nowMs: () => 5 }, config: { nodeId: "n" }, apiKeys, appTable, describe: () => ({}) };
  const emit = (playerId: string) => {
    for (const listener of listeners) listener({ type: "session-opened", sessionId: "s", playerId });
  };
  return {
    watchers: new EventWatchers(node as unknown as ControlNode),
    app,
    caller: callerOf("a"),
    apiKeys,
    emit,
    listeners,
  };
}

describe("EventWatchers", () => {
  const everything = { playerId: "", group: "" };

  it("tells a slow reader how much it missed, and goes on", async () => {
    const { watchers: all, app, caller, emit } = watchers();
    const stream = all.watch(app, caller, everything, new AbortController().signal);
    await stream.next();
    for (let i = 0; i < 2000; i++) emit(`p${i}`);
    for (let i = 0; i < 1024; i++) {
      expect((await stream.next()).value.event?.event.value).toMatchObject({ playerId: `p${i}` });
    }
    expect((await stream.next()).value.event?.event).toMatchObject({ case: "missed", value: { count: 976n } });
    emit("last");
    expect((await stream.next()).value.event?.event.value).toMatchObject({ playerId: "last" });
  });

  it("forgets a reader that has gone", async () => {
    const { watchers: all, app, caller, listeners } = watchers();
    const abort = new AbortController();
    const stream = all.watch(app, caller, everything, abort.signal);
    await stream.next();
    const waiting = stream.next();
    expect(listeners.size).toBe(1);
    abort.abort();
    expect((await waiting).done).toBe(true);
    expect(listeners.size).toBe(0);
  });

  it("ends a stream whose key is withdrawn, also with what is queued, and no other", async () => {
    const { watchers: all, app, caller, apiKeys, emit, listeners } = watchers();
    const [one, other] = ["one", "other"].map((keyId) => ({ ...caller, keyId, sha256: Buffer.from(keyId) }));
    const keysOf = (...callers: (Caller | undefined)[]) =>
      callers.map((each) => ({ ...(each as Caller), id: each?.keyId ?? "", sha256: each?.sha256 as Uint8Array }));
    apiKeys.set({ id: "a", apiKeys: keysOf(one, other) });
    const { signal } = new AbortController();
    const [withdrawn, stays] = [
      all.watch(app, one as Caller, everything, signal),
      all.watch(app, other as Caller, everything, signal),
    ];
    for (const stream of [withdrawn, stays]) await stream.next();
    emit("seen by who may");
    apiKeys.set({ id: "a", apiKeys: keysOf(other) });
    await expect(withdrawn.next()).rejects.toMatchObject({ code: ErrorCode.UNAUTHENTICATED });
    expect((await stays.next()).value.event?.event.value).toMatchObject({ playerId: "seen by who may" });
    apiKeys.set({ id: "b", apiKeys: [] });
    apiKeys.set({ id: "a", apiKeys: keysOf({ ...(other as Caller), scopes: new Set([Scope.ADMIN]) }) });
    await expect(stays.next()).rejects.toMatchObject({ code: ErrorCode.PERMISSION_DENIED });
    expect(listeners.size).toBe(0);
    // Withdrawn between the beginning of the call and the request.
    await expect(all.watch(app, one as Caller, everything, signal).next()).rejects.toMatchObject({
      code: ErrorCode.UNAUTHENTICATED,
    });
  });

  it("serves 32 readers of an app, 256 of all apps, and no more", async () => {
    const { watchers: all, app, apiKeys } = watchers();
    const abort = new AbortController();
    const open = (appId: string) => {
      const key = { id: "k", sha256: Buffer.from(appId), scopes: new Set([Scope.READ]) };
      apiKeys.set({ id: appId, apiKeys: [key] });
      return all.watch(app, { appId, keyId: "k", ...key }, everything, abort.signal);
    };
    const streams: ReturnType<typeof open>[] = [];
    for (let i = 0; i < 256; i++) {
      const stream = open(`app ${Math.floor(i / 32)}`);
      await stream.next();
      streams.push(stream);
      if (i !== 31) continue;
      const refused = {
        code: ErrorCode.LIMIT_EXCEEDED,
        message: expect.stringContaining("32 event streams of the app"),
      };
      await expect(open("app 0").next()).rejects.toMatchObject(refused);
    }
    const refused = { code: ErrorCode.LIMIT_EXCEEDED, message: expect.stringContaining("256 event streams of all") };
    await expect(open("app 8").next()).rejects.toMatchObject(refused);
    await streams[0]?.return(undefined);
    expect((await open("app 8").next()).done).toBe(false);
    await streams[32]?.return(undefined);
    expect((await open("app 0").next()).done).toBe(false);
  });
});
