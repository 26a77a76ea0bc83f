import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { TokenSourceSchema } from "@fanfare/proto/conformance/v1alpha";
import { readYamlMessage } from "../cases/yaml-message.ts";
import { YamlSource } from "../cases/yaml-source.ts";

/** The apps of the fixtures. The first is where everybody plays who names no other. */
export const fixtureApps = ["alpha", "beta"] as const;

/** The fixtures' hello timeout, in milliseconds. */
export const helloTimeoutMs = 1_500;

/** The API key of an app. */
export function fixtureApiKey(app: string): string {
  return `conformance-control-key-of-the-app-${app}`;
}

/** A file of the fixtures. */
export function fixtureFile(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
}

/** The fixtures' signing keys. */
export function fixtureTokens() {
  const file = fixtureFile("keys.yaml");
  return readYamlMessage(TokenSourceSchema, new YamlSource("keys.yaml", readFileSync(file, "utf8")));
}
