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
        apps: [{ appId: app, namespaces: new Map([["chat", bytes]]) }],
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
  });
}
