import { dirname, join, resolve } from "node:path";
import {
  type ClientEntry,
  type PairEntry,
  RunConfigSchema,
  type ServerEntry,
} from "@fanfare/proto/conformance/v1alpha";
import { readGivenFile } from "../cases/given-file.ts";
import { suggestion } from "../cases/nearest-name.ts";
import { readYamlMessage } from "../cases/yaml-message.ts";
import { FileError, type FileProblem, YamlSource } from "../cases/yaml-source.ts";
import { type LoadedTarget, readTarget } from "../target/target-file.ts";

/** A server of a run, with its target. */
export interface LoadedServer {
  readonly name: string;
  readonly entry: ServerEntry;
  readonly target: LoadedTarget;
}

/** What a run is about. */
export interface LoadedConfig {
  /** Where its file is: commands run there. */
  readonly folder: string;
  readonly servers: readonly LoadedServer[];
  readonly clients: readonly ClientEntry[];
  readonly pairs: readonly PairEntry[];
}

/** @throws FileError naming each problem with its line, of the targets too */
export function readRunConfig(file: string): LoadedConfig {
  const source = new YamlSource(file, readGivenFile(file));
  const { servers, clients, pairs } = readYamlMessage(RunConfigSchema, source);
  const folder = dirname(resolve(file));
  const problems: FileProblem[] = [];
  if (servers.length + clients.length === 0) problems.push(source.problem([], "names no implementation"));
  for (const [i, { name, adapter }] of clients.entries()) {
    if (name === "") problems.push(source.problem(["clients", i], "has no name"));
    if (adapter === "") problems.push(source.problem(["clients", i], "has no adapter"));
  }
  const loaded = servers.map((entry) => {
    const target = readTarget(join(folder, entry.target));
    return { name: target.target.name, entry, target };
  });
  const names = [...loaded, ...clients].map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) problems.push(source.problem([], `names ${twice} twice`));
  for (const [i, { client, server }] of pairs.entries()) {
    if (clients.every(({ name }) => name !== client)) problems.push(source.problem(["pairs", i], `names no client`));
    if (loaded.every(({ name }) => name !== server)) problems.push(source.problem(["pairs", i], `names no server`));
  }
  if (problems.length > 0) throw new FileError(problems);
  return { folder, servers: loaded, clients, pairs };
}

/** The part of a run that names choose; all of it without names. @throws FileError for a name of nothing */
export function onlyNamed(config: LoadedConfig, only: readonly string[] | undefined): LoadedConfig {
  if (only === undefined) return config;
  const names = [...config.servers, ...config.clients].map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const problem = `there is no implementation ${unknown}${suggestion(unknown, names)}; there are ${names.join(", ")}`;
    throw new FileError([{ file: "--only", path: "", problem }]);
  }
  return {
    ...config,
    servers: config.servers.filter(({ name }) => only.includes(name)),
    clients: config.clients.filter(({ name }) => only.includes(name)),
  };
}
