import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** Starts Node as if no GLIDE package were installed. */
function withoutGlide(...args: string[]) {
  const refuseGlide = new URL("refuse-glide.ts", import.meta.url).href;
  const flags = ["--conditions=@fanfare/source", "--import", refuseGlide];
  return spawn(process.execPath, [...flags, ...args], { stdio: ["pipe", "pipe", "pipe"] });
}

it("serves on the embedded broker where GLIDE is not installed", async () => {
  const child = withoutGlide(fileURLToPath(new URL("embedded-server.ts", import.meta.url)));
  const exited = once(child, "exit");
  const errors = text(child.stderr);
  const started = await Promise.race([once(child.stdout, "data"), exited.then(() => undefined)]);
  expect(started, started === undefined ? await errors : "").toBeDefined();

  const response = await fetch(new URL("/readyz", String(started?.[0]).trim()));
  expect(response.status).toBe(200);
  await response.text();

  child.stdin.end();
  expect(await exited).toEqual([0, null]);
  expect(await errors).toBe("");
});

it("would notice an import of GLIDE", async () => {
  const child = withoutGlide("--eval", 'import("@valkey/valkey-glide")');
  const errors = text(child.stderr);
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(await errors).toContain("refused to load @valkey/valkey-glide");
});
