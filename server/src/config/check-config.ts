import type { DescMessage } from "@bufbuild/protobuf";
import {
  type App,
  AppSchema,
  LogFormat,
  LogLevel,
  type ServerConfig,
  ServerConfigSchema,
} from "@fanfare/proto/config/v1";
import { type Violation, validatorFor } from "@fanfare/proto/validate";
import type { ChannelBounds } from "./channel-rules.ts";
import { appProblem, notHexadecimal } from "./check-app.ts";
import { listenProblem } from "./check-listen.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { expectedNumber } from "./expected-value.ts";
import { firstRepeated } from "./first-repeated.ts";
import { resolveLimits } from "./resolved-limits.ts";
import { resolveTiming } from "./resolved-timing.ts";
import { valkeyProblem } from "./resolved-valkey.ts";

const violationOf = validatorFor(ServerConfigSchema);
const violationOfApp = validatorFor(AppSchema);

/**
 * Checks the bounds of every field, then the rules between fields.
 * @throws ConfigError for the first one that is broken
 */
export function checkConfig(config: ServerConfig): void {
  const violation = violationOf(config);
  const problem = violation === undefined ? problemBetweenFields(config) : problemOf(violation, ServerConfigSchema);
  if (problem !== undefined) throw new ConfigError(problem);
}

/**
 * Checks an app that comes at run time by the same rules, beside the apps of the configuration and others that came so.
 * @throws ConfigError naming the field within the app
 */
export function checkLateApp(app: App, config: ServerConfig, others: Iterable<App>): void {
  const violation = violationOfApp(app);
  const problem =
    violation === undefined
      ? (appProblem(app, boundsOf(config)) ?? foreignKeyProblem(app, config, others))
      : problemOf(violation, AppSchema);
  if (problem !== undefined) throw new ConfigError(problem);
}

function problemOf({ field, message }: Violation, schema: DescMessage): ConfigProblem {
  if (/\bsha256$/.test(field)) return { field, ...notHexadecimal };
  return { field, problem: message, remedy: expectedNumber(schema, field) };
}

function problemBetweenFields(config: ServerConfig): ConfigProblem | undefined {
  return (
    listenProblem(config) ??
    valkeyProblem(config.valkey) ??
    timingProblem(config) ??
    limitsProblem(config) ??
    observeProblem(config) ??
    clusterKeyProblem(config) ??
    operatorKeysProblem(config) ??
    appsProblem(config)
  );
}

function timingProblem({ timing }: ServerConfig): ConfigProblem | undefined {
  const resolved = resolveTiming(timing);
  if (resolved.heartbeatIntervalMinMs > resolved.heartbeatIntervalMs) {
    return {
      field: "timing.heartbeat_interval_min_ms",
      problem: `is greater than heartbeat_interval_ms, which is ${resolved.heartbeatIntervalMs}`,
      remedy: "lower it, or raise the interval",
    };
  }
  if (resolved.heartbeatIntervalMaxMs < resolved.heartbeatIntervalMs) {
    return {
      field: "timing.heartbeat_interval_max_ms",
      problem: `is less than heartbeat_interval_ms, which is ${resolved.heartbeatIntervalMs}`,
      remedy: "raise it, or lower the interval",
    };
  }
  if (resolved.drainWindowMs > resolved.drainDeadlineMs) {
    return {
      field: "timing.drain_window_ms",
      problem: `is greater than drain_deadline_ms, which is ${resolved.drainDeadlineMs}`,
      remedy: "lower it, or raise the deadline, so that clients are told before they are closed",
    };
  }
  return undefined;
}

function limitsProblem({ limits }: ServerConfig): ConfigProblem | undefined {
  const { maxFrameBytes, maxPayloadBytes, sendQueueBytes } = resolveLimits(limits);
  if (maxPayloadBytes > maxFrameBytes) {
    return {
      field: "limits.max_payload_bytes",
      problem: `is greater than max_frame_bytes, which is ${maxFrameBytes}`,
      remedy: "lower it, or raise max_frame_bytes",
    };
  }
  if (maxPayloadBytes > sendQueueBytes) {
    return {
      field: "limits.send_queue_bytes",
      problem: `is less than max_payload_bytes, which is ${maxPayloadBytes}, so that one message could fill it`,
      remedy: "raise it, or lower max_payload_bytes",
    };
  }
  return undefined;
}

function observeProblem({ observe }: ServerConfig): ConfigProblem | undefined {
  const remedy = "use one that this version knows";
  if (observe !== undefined && LogLevel[observe.logLevel] === undefined) {
    return { field: "observe.log_level", problem: `has the unknown value ${observe.logLevel}`, remedy };
  }
  if (observe !== undefined && LogFormat[observe.logFormat] === undefined) {
    return { field: "observe.log_format", problem: `has the unknown value ${observe.logFormat}`, remedy };
  }
  return undefined;
}

function clusterKeyProblem({ clusterKeys }: ServerConfig): ConfigProblem | undefined {
  const repeated = firstRepeated(clusterKeys.map(({ id }) => id));
  return repeated && { field: `cluster_keys[${repeated.index}].id`, ...repeated.problem };
}

function operatorKeysProblem({ operatorKeys }: ServerConfig): ConfigProblem | undefined {
  const repeatedId = firstRepeated(operatorKeys.map(({ id }) => id));
  if (repeatedId !== undefined) return { field: `operator_keys[${repeatedId.index}].id`, ...repeatedId.problem };
  const wrong = operatorKeys.findIndex(({ sha256 }) => !/^[0-9a-f]{64}$/i.test(sha256));
  if (wrong >= 0) return { field: `operator_keys[${wrong}].sha256`, ...notHexadecimal };
  const repeated = firstRepeated(operatorKeys.map(({ sha256 }) => sha256.toLowerCase()));
  return (
    repeated && {
      field: `operator_keys[${repeated.index}].sha256`,
      problem: "is that of another key",
      remedy: makeAKey,
    }
  );
}

function appsProblem(config: ServerConfig): ConfigProblem | undefined {
  const { apps, operatorKeys } = config;
  if (apps.length === 0 && operatorKeys.length === 0) {
    return {
      field: "apps",
      problem: "is empty, and nobody could be served",
      remedy: "add an app, or operator_keys with which apps are put at run time",
    };
  }
  const repeatedId = firstRepeated(apps.map(({ id }) => id));
  if (repeatedId !== undefined) return { field: `apps[${repeatedId.index}].id`, ...repeatedId.problem };
  for (const [i, app] of apps.entries()) {
    const problem = appProblem(app, boundsOf(config));
    if (problem !== undefined) return { ...problem, field: `apps[${i}].${problem.field}` };
  }
  const taken = new Set(operatorKeys.map(({ sha256 }) => sha256.toLowerCase()));
  for (const [i, app] of apps.entries()) {
    const field = takenKeyField(app, taken);
    if (field !== undefined) return { ...takenKey, field: `apps[${i}].${field}` };
    for (const { sha256 } of app.apiKeys) taken.add(sha256.toLowerCase());
  }
  return undefined;
}

/** The first of an app's API keys that is an operator's, or of another app. */
function foreignKeyProblem(
  app: App,
  { apps, operatorKeys }: ServerConfig,
  others: Iterable<App>,
): ConfigProblem | undefined {
  const ofOthers = [...apps, ...others].filter(({ id }) => id !== app.id).flatMap(({ apiKeys }) => apiKeys);
  const taken = new Set([...operatorKeys, ...ofOthers].map(({ sha256 }) => sha256.toLowerCase()));
  const field = takenKeyField(app, taken);
  return field === undefined ? undefined : { ...takenKey, field };
}

function takenKeyField({ apiKeys }: App, taken: ReadonlySet<string>): string | undefined {
  const hashes = apiKeys.map(({ sha256 }) => sha256.toLowerCase());
  const wrong = hashes.findIndex((sha256, i) => taken.has(sha256) || hashes.indexOf(sha256) < i);
  return wrong < 0 ? undefined : `api_keys[${wrong}].sha256`;
}

const makeAKey = "make a key of its own, for instance with `openssl rand -hex 32`";
const takenKey = { problem: "is that of another key, and a key names one app", remedy: makeAKey };

function boundsOf({ limits, valkey }: ServerConfig): ChannelBounds {
  return { maxPayloadBytes: resolveLimits(limits).maxPayloadBytes, canReplicate: valkey !== undefined };
}
