import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type BrokerUnderTest, newName } from "../testing/broker-under-test.ts";
import type { SettingsStore } from "./settings-store.ts";

/** The contract of {@link SettingsStore}. To be run on a broker where nothing was set. */
export function describeSettingsStore(under: () => BrokerUnderTest): void {
  describe("settings", () => {
    const stores = (): [SettingsStore, SettingsStore] => [under().nodes[0].settings, under().nodes[1].settings];

    it("are none at first, and have a version that grows with every change", async () => {
      const [one, other] = stores();
      expect(await other.read()).toEqual({ version: 0, apps: [] });
      expect(await other.version()).toBe(0);
      const app = newName("app");
      const bytes = Buffer.from([0, 1, 0xff, 0x0a]);
      const first = await one.setNamespace(app, "chat", bytes);
      expect(first).toBeGreaterThan(0);
      expect(await other.version()).toBe(first);
      expect(await other.read()).toEqual({
        version: first,
        apps: [{ appId: app, definition: undefined, namespaces: new Map([["chat", bytes]]) }],
      });
      const second = await other.setNamespace(app, "game", Buffer.from("game"));
      const third = await one.setNamespace(app, "chat", "removed");
      expect([first, second, third]).toEqual([first, second, third].sort((a, b) => a - b));
      expect(new Set([first, second, third]).size).toBe(3);
      const { version, apps } = await other.read();
      expect(version).toBe(third);
      expect(apps[0]?.namespaces).toEqual(
        new Map<string, Uint8Array | undefined>([
          ["chat", undefined],
          ["game", Buffer.from("game")],
        ]),
      );
    });

    it("of apps are apart, and changes at once are all there", async () => {
      const [one, other] = stores();
      const apps = [newName("app"), newName("app")];
      await Promise.all(
        apps.flatMap((app) => Array.from({ length: 20 }, (_, i) => one.setNamespace(app, `n${i}`, Buffer.from(app)))),
      );
      const settings = await other.read();
      for (const app of apps) {
        const namespaces = settings.apps.find(({ appId }) => appId === app)?.namespaces;
        expect([...(namespaces?.keys() ?? [])].sort()).toEqual(Array.from({ length: 20 }, (_, i) => `n${i}`).sort());
      }
    });

    it("keep nothing of a namespace that is to be as defined, and change nothing where nothing was set", async () => {
      const [one, other] = stores();
      const app = newName("app");
      const namesOf = async () => [
        ...((await other.read()).apps.find(({ appId }) => appId === app)?.namespaces.keys() ?? []),
      ];
      await one.setNamespace(app, "hidden", "removed");
      const before = await one.setNamespace(app, "chat", Buffer.from("chat"));
      const after = await other.setNamespace(app, "chat", undefined);
      expect(after).toBeGreaterThan(before);
      expect(await namesOf()).toEqual(["hidden"]);
      for (const name of ["chat", "never was"]) expect(await one.setNamespace(app, name, undefined)).toBe(after);
      expect(await other.setNamespace(app, "hidden", undefined)).toBeGreaterThan(after);
      expect(await namesOf()).toEqual([]);
    });

    it("are bounded for each app and for all, in their number and in bytes, however many set them at once", async () => {
      const [one, other] = stores();
      const app = newName("app");
      const none = { countOfApp: 1_000, bytesOfApp: 1_000_000, bytesOfAll: 1_000_000_000 };
      const refused = (about: RegExp) => ({ code: ErrorCode.LIMIT_EXCEEDED, message: expect.stringMatching(about) });
      const puts = Array.from({ length: 10 }, (_, i) =>
        stores()[i % 2]?.setNamespace(app, `n${i}`, i < 5 ? Buffer.from("x") : "removed", { ...none, countOfApp: 4 }),
      );
      const answers = await Promise.allSettled(puts);
      expect(answers.filter(({ status }) => status === "fulfilled").length).toBe(4);
      for (const answer of answers)
        if (answer.status === "rejected") expect(answer.reason).toMatchObject(refused(/at most 4 /));
      const version = await one.version();
      const names = [...((await other.read()).apps.find(({ appId }) => appId === app)?.namespaces.keys() ?? [])];
      expect(names.length).toBe(4);
      // Each takes the app's id, a slash, its name of two letters, and a value of one byte and its mark, or of one digit.
      const [name = ""] = names;
      const ofFour = 4 * (app.length + 3) + 8;
      const bytes = Buffer.alloc(1_000, 1);
      await expect(one.setNamespace(app, name, bytes, { ...none, bytesOfApp: 1_000 })).rejects.toMatchObject(
        refused(/1000 bytes, are kept for an app/),
      );
      await expect(one.setNamespace(app, name, bytes, { ...none, bytesOfAll: 1_000 })).rejects.toMatchObject(
        refused(/at most 1000 bytes .* all who use/),
      );
      expect(await other.version(), "refused: nothing is changed, and no node has to read it again").toBe(version);
      // Another app is not touched by it.
      await other.setNamespace(newName("app"), "n", Buffer.from("x"), { ...none, countOfApp: 1 });
      expect(await one.setNamespace(app, name, bytes, { ...none, bytesOfApp: ofFour + 1_000 })).toBeGreaterThan(
        version,
      );
      // Who has too much, as of a release without bounds, can come back, step by step.
      const smaller = Buffer.alloc(900, 1);
      await other.setNamespace(app, name, smaller, { countOfApp: 0, bytesOfApp: 0, bytesOfAll: 0 });
      await one.setNamespace(app, name, "removed", { countOfApp: 0, bytesOfApp: 0, bytesOfAll: 0 });
      for (const each of names)
        await one.setNamespace(app, each, undefined, { countOfApp: 0, bytesOfApp: 0, bytesOfAll: 0 });
      expect((await other.read()).apps.find(({ appId }) => appId === app)).toBeUndefined();
    });

    it("have apps, which are put and deleted as long as nothing else was set meanwhile", async () => {
      const [one, other] = stores();
      const app = newName("app");
      const ofApp = async () => (await other.read()).apps.find(({ appId }) => appId === app);
      const bytes = Buffer.from([0, 0xff, 0x2f, 1]);
      const before = await one.version();
      const first = (await one.putApp(app, bytes, before)) as number;
      expect(first).toBeGreaterThan(before);
      expect(await other.version()).toBe(first);
      expect(await ofApp()).toEqual({ appId: app, definition: bytes, namespaces: new Map() });
      expect(await other.putApp(app, Buffer.from("older"), before)).toBeUndefined();
      expect(await other.deleteApp(app, true, before)).toBeUndefined();
      expect((await ofApp())?.definition).toEqual(bytes);
      const second = (await other.putApp(app, Buffer.from("newer"), first)) as number;
      expect((await ofApp())?.definition).toEqual(Buffer.from("newer"));
      const third = await one.setNamespace(app, "chat", Buffer.from("chat"));
      expect(await one.putApp(app, bytes, second)).toBeUndefined();
      expect((await ofApp())?.namespaces.size).toBe(1);
      expect(await one.deleteApp(app, true, third)).toBeGreaterThan(third);
      expect(await ofApp()).toBeUndefined();
    });

    it("lose what was set in an app with it if that is wished, and nothing of an app whose name begins like its name", async () => {
      const [one, other] = stores();
      const app = newName("app");
      const longer = `${app}.more`;
      for (const each of [app, longer]) await one.setNamespace(each, "chat", Buffer.from(each));
      const version = await one.setNamespace(app, "removed", "removed");
      const after = (await other.deleteApp(longer, false, version)) as number;
      await other.deleteApp(app, true, after);
      const { apps } = await one.read();
      expect(apps.find(({ appId }) => appId === app)).toBeUndefined();
      expect(apps.find(({ appId }) => appId === longer)?.namespaces.get("chat")).toEqual(Buffer.from(longer));
    });

    it("have each of many apps that are put at once, when who was overtaken tries again", async () => {
      const apps = Array.from({ length: 8 }, () => newName("app"));
      const put = async (app: string, i: number): Promise<void> => {
        const store = stores()[i % 2] as SettingsStore;
        while ((await store.putApp(app, Buffer.from(app), await store.version())) === undefined);
      };
      await Promise.all(apps.map(put));
      const found = (await stores()[0].read()).apps;
      for (const app of apps) {
        expect(found.find(({ appId }) => appId === app)?.definition).toEqual(Buffer.from(app));
      }
    });
  });
}
