import { create, type DescField, type DescMessage, fromJson, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type ServerConfig, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { ConfigError } from "./config-error.ts";
import { valueProblem } from "./config-json.ts";
import { withFullNames } from "./enum-name.ts";
import type { Environment } from "./key-material.ts";
import { nearestName } from "./nearest-name.ts";

const PREFIX = "FANFARE_";
/** Variables that hosting platforms set. FANFARE_LISTEN_PORT and FANFARE_LISTEN_HOST win over them. */
const platform: Readonly<Record<string, string>> = {
  PORT: "FANFARE_LISTEN_PORT",
  HOST: "FANFARE_LISTEN_HOST",
};

/**
 * What Kubernetes sets in every container for a Service that is named `fanfare`, or `fanfare-` and something: that is where the Service is, and says nothing to this
 * server. Those that a port is put in are told from a typing error by what they hold.
 */
const ofKubernetes = [
  { name: /^FANFARE_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)$/, text: /^/ },
  { name: /^FANFARE_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/, text: /^/ },
  { name: /^FANFARE_(\w+_)?PORT$/, text: /^(tcp|udp|sctp):\/\// },
];

/** The way from the configuration to one of its fields. */
type FieldPath = readonly DescField[];

/**
 * The variables that set a field: FANFARE_ and the path in capitals with underscores, for every field that is one value and not in a
 * list.
 */
export const configVariables: ReadonlyMap<string, FieldPath> = new Map(variablesOf(ServerConfigSchema, []));

/**
 * Sets fields from the environment, in place. Empty variables count as not set.
 * @param allowed names of FANFARE_ variables that are something else's, for instance a key's; the rest has to be known, or to be what Kubernetes
 *   tells of a Service
 * @returns the variable of each path that was set
 * @throws ConfigError naming the variable, and for an unknown one the known one most like it
 */
export function overlayEnvironment(
  config: ServerConfig,
  environment: Environment,
  allowed: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const values = new Map<string, { variable: string; text: string }>();
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || text === "" || allowed.has(variable)) continue;
    const alias = platform[variable];
    if (alias !== undefined && !environment[alias]) values.set(alias, { variable, text });
    if (!variable.startsWith(PREFIX)) continue;
    if (!configVariables.has(variable)) {
      if (ofKubernetes.some((one) => one.name.test(variable) && one.text.test(text))) continue;
      throw unknownVariable(variable);
    }
    values.set(variable, { variable, text });
  }
  const set = new Map<string, string>();
  for (const [name, { variable, text }] of values) {
    const path = configVariables.get(name)!;
    assign(reflect(ServerConfigSchema, config), path, text, variable);
    set.set(pathText(path), variable);
  }
  return set;
}

/** What would be the variables of lists, longest first, so that a list within a message is found before that message. */
const lists = [...listsOf(ServerConfigSchema, [])].sort((a, b) => b.prefix.length - a.prefix.length);

function* listsOf(schema: DescMessage, before: FieldPath): Iterable<{ prefix: string; path: string }> {
  for (const field of schema.fields) {
    const path = [...before, field];
    if (field.fieldKind === "message") yield* listsOf(field.message, path);
    else if (field.fieldKind === "list") yield { prefix: variableOf(path), path: pathText(path) };
  }
}

function variableOf(path: FieldPath): string {
  return PREFIX + path.map(({ name }) => name.toUpperCase()).join("_");
}

function* variablesOf(schema: DescMessage, prefix: FieldPath): Iterable<[string, FieldPath]> {
  for (const field of schema.fields) {
    const path = [...prefix, field];
    if (field.fieldKind === "message") yield* variablesOf(field.message, path);
    else if (field.fieldKind === "scalar" || field.fieldKind === "enum") {
      yield [variableOf(path), path];
    }
  }
}

function assign(root: ReflectMessage, path: FieldPath, text: string, variable: string): void {
  let message = root;
  for (const field of path.slice(0, -1)) {
    if (field.fieldKind !== "message") throw new TypeError(`${field.name} holds no fields`);
    if (!message.isSet(field)) message.set(field, reflect(field.message, create(field.message)));
    message = message.get(field);
  }
  const field = path.at(-1)!;
  const json = withFullNames(field, field.scalar === ScalarType.BOOL ? booleanOf(text) : text);
  const problem = valueProblem(field, json, variable);
  if (problem !== undefined) throw new ConfigError(problem);
  const parsed = reflect(field.parent, fromJson(field.parent, { [field.name]: json }));
  message.set(field, parsed.get(field));
}

function booleanOf(text: string): JsonValue {
  return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
}

function unknownVariable(variable: string): ConfigError {
  const list = lists.find(({ prefix }) => variable === prefix || variable.startsWith(`${prefix}_`));
  if (list !== undefined) {
    return new ConfigError({
      field: variable,
      problem: `sets nothing: ${list.path} is a list, and lists are set in the file alone`,
      remedy: "unset it, and write them into the configuration file",
    });
  }
  const near = nearestName(variable, configVariables.keys());
  return new ConfigError({
    field: variable,
    problem: "is an environment variable that sets nothing",
    remedy: near === undefined ? "unset it; lists are set in the file alone" : `did you mean ${near}?`,
  });
}

function pathText(path: FieldPath): string {
  return path.map(({ name }) => name).join(".");
}
