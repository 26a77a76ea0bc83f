import { readFileSync } from "node:fs";
import { type ChannelRules, type Limits, ServerConfigSchema, type Timing } from "@fanfare/proto/config/v1";
import { readYamlMessage } from "../cases/yaml-message.ts";
import { YamlSource } from "../cases/yaml-source.ts";
import { fixtureFile } from "../target/fixtures.ts";

/** Every field of a message that has explicit presence, filled. */
type Filled<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> };

/** The fixtures, as the reference server needs them. */
export interface Settings {
  readonly timing: Filled<Timing>;
  readonly limits: Filled<Limits>;
  readonly apps: ReadonlyMap<string, ReadonlyMap<string, ChannelRules>>;
  readonly allowedOrigins: ReadonlySet<string>;
}

/** Reads the fixtures. */
export function fixtureSettings(): Settings {
  const source = new YamlSource("server-config.yaml", readFileSync(fixtureFile("server-config.yaml"), "utf8"));
  const { timing, limits, apps } = readYamlMessage(ServerConfigSchema, source);
  const rules = apps.map(({ id, namespaces }) => {
    const byName = namespaces.flatMap(({ name, rules: one }) => (one === undefined ? [] : [[name, one] as const]));
    return [id, new Map(byName)] as const;
  });
  return {
    timing: timing as Filled<Timing>,
    limits: limits as Filled<Limits>,
    apps: new Map(rules),
    allowedOrigins: new Set(apps.flatMap(({ allowedOrigins }) => allowedOrigins)),
  };
}
