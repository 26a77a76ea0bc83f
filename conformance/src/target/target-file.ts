import { dirname, resolve } from "node:path";
import { Profile, type Target, TargetSchema } from "@fanfare/proto/conformance/v1alpha";
import { readGivenFile } from "../cases/given-file.ts";
import { readYamlMessage } from "../cases/yaml-message.ts";
import { FileError, type FileProblem, YamlSource } from "../cases/yaml-source.ts";
import { ControlClient } from "./control-client.ts";
import { startDisposable } from "./disposable-process.ts";
import type { ServerEnvironment } from "./environment.ts";
import { fixtureApiKey, fixtureTokens } from "./fixtures.ts";
import { limited } from "./limited.ts";

/** What has to come at once comes within this, unless the target says otherwise. */
const defaultPatienceMs = 5_000;
/** Time for a disposable server to start, in milliseconds, and how many there are at a time: each is a process of its own. */
const disposableStartMs = 30_000;
const maxDisposables = 2;

/** A target and where its file is. */
export interface LoadedTarget {
  readonly target: Target;
  readonly folder: string;
}

/** @throws FileError naming each problem with its line */
export function readTarget(file: string): LoadedTarget {
  const source = new YamlSource(file, readGivenFile(file));
  const target = readYamlMessage(TargetSchema, source);
  const problems: FileProblem[] = [];
  if (target.addresses.length === 0 && target.disposable === undefined) {
    problems.push(source.problem([], "has neither addresses nor a disposable server"));
  }
  for (const [i, address] of target.addresses.entries()) {
    if (!/^wss?:\/\//.test(address)) problems.push(source.problem(["addresses", i], "has to be a ws:// or wss:// URL"));
  }
  if (!target.profiles.includes(Profile.CORE))
    problems.push(source.problem(["profiles"], "lack CORE, which everybody has"));
  if (target.profiles.includes(Profile.CONTROL) && target.control === undefined && target.disposable === undefined) {
    problems.push(source.problem(["profiles"], "name CONTROL, and `control` is missing"));
  }
  if (problems.length > 0) throw new FileError(problems);
  return { target, folder: dirname(resolve(file)) };
}

/** What cases run against, as a target file says, with the server that cases share if the runner has to start it. */
export async function openEnvironment({ target, folder }: LoadedTarget): Promise<ServerEnvironment & AsyncDisposable> {
  const keyOf = (app: string) => target.control?.apiKeys[app] || fixtureApiKey(app);
  const { disposable } = target;
  const begin =
    disposable &&
    (() => startDisposable({ command: disposable.command, cwd: folder, keyOf, startMs: disposableStartMs }));
  const own = target.addresses.length === 0 ? await begin?.() : undefined;
  const start = begin && limited(begin, maxDisposables);
  const control = target.control === undefined ? undefined : new ControlClient(target.control.url, keyOf);
  return {
    name: target.name,
    profiles: new Set(target.profiles),
    features: new Set(target.features),
    tokens: target.tokens ?? fixtureTokens(),
    patienceMs: target.patienceMs || defaultPatienceMs,
    shared: own ?? { addresses: target.addresses, control },
    disposable: start,
    canMove: disposable?.canMove ?? false,
    [Symbol.asyncDispose]: async () => own?.[Symbol.asyncDispose](),
  };
}
