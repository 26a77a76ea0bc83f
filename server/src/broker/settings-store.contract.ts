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
      const third = await one.setNamespace(app, "chat", undefined);
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
      const version = await one.setNamespace(app, "removed", undefined);
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
