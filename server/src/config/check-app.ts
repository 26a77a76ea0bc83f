import { type ApiKey, type App, type PlayerAuth, Scope } from "@fanfare/proto/config/v1";
import type { ChannelKind } from "./channel-policy.ts";
import { type ChannelBounds, channelRulesProblem } from "./channel-rules.ts";
import { isLoopback } from "./check-listen.ts";
import type { ConfigProblem } from "./config-error.ts";
import { firstRepeated } from "./first-repeated.ts";

/** The first rule between the fields of an app that is broken, its field relative to the app. */
export function appProblem(app: App, bounds: ChannelBounds): ConfigProblem | undefined {
  return (
    playerAuthProblem(app.playerAuth) ??
    apiKeysProblem(app.apiKeys) ??
    originsProblem(app.allowedOrigins) ??
    rulesProblem(app, bounds)
  );
}

function playerAuthProblem(auth: PlayerAuth | undefined): ConfigProblem | undefined {
  if (auth === undefined || (auth.keys.length === 0 && auth.jwksUrl === "")) {
    return {
      field: "player_auth",
      problem: "has no key and no jwks_url, so that no player could connect",
      remedy: "add one",
    };
  }
  const repeated = firstRepeated(auth.keys.map(({ id }) => id));
  if (repeated !== undefined) return { field: `player_auth.keys[${repeated.index}].id`, ...repeated.problem };
  if (auth.jwksUrl === "" || isTrustworthy(auth.jwksUrl)) return undefined;
  return {
    field: "player_auth.jwks_url",
    problem: "is no https address, and keys that come in plain text prove nothing",
    remedy: "use https; http is for loopback only",
  };
}

/** What is wrong with the hash of a key. */
export const notHexadecimal = {
  problem: "is not 64 hexadecimal digits",
  remedy: 'write the first word of what `printf %s "$KEY" | sha256sum` prints',
};

function isTrustworthy(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function apiKeysProblem(keys: readonly ApiKey[]): ConfigProblem | undefined {
  const repeated = firstRepeated(keys.map(({ id }) => id));
  if (repeated !== undefined) return { field: `api_keys[${repeated.index}].id`, ...repeated.problem };
  for (const [i, { sha256, scopes }] of keys.entries()) {
    if (!/^[0-9a-f]{64}$/i.test(sha256)) {
      return { field: `api_keys[${i}].sha256`, ...notHexadecimal };
    }
    const unknown = scopes.findIndex((scope) => scope === Scope.UNSPECIFIED || Scope[scope] === undefined);
    if (unknown >= 0) {
      return {
        field: `api_keys[${i}].scopes[${unknown}]`,
        problem: "is no scope",
        remedy: "use one that this version knows, for instance SCOPE_PUBLISH",
      };
    }
  }
  return undefined;
}

function originsProblem(origins: readonly string[]): ConfigProblem | undefined {
  const wrong = origins.findIndex((origin) => origin !== "*" && !isOrigin(origin));
  if (wrong < 0) return undefined;
  return {
    field: `allowed_origins[${wrong}]`,
    problem: "is no origin",
    remedy: "write scheme, host and, unless it is the usual one, port, for instance https://game.example; or * for any",
  };
}

/** As browsers write it in their Origin header: small letters, no path, no usual port. Schemes of apps have no origin by the URL standard. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  return url.origin === text || (url.origin === "null" && /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+$/.test(text));
}

function rulesProblem(app: App, bounds: ChannelBounds): ConfigProblem | undefined {
  const repeated = firstRepeated(app.namespaces.map(({ name }) => name));
  if (repeated !== undefined) return { field: `namespaces[${repeated.index}].name`, ...repeated.problem };
  const all: { field: string; kind: ChannelKind; rules: App["playerRules"] }[] = [
    ...app.namespaces.map(({ rules }, i) => ({ field: `namespaces[${i}].rules`, kind: "group" as const, rules })),
    { field: "player_rules", kind: "player", rules: app.playerRules },
    { field: "broadcast_rules", kind: "broadcast", rules: app.broadcastRules },
  ];
  for (const { field, kind, rules } of all) {
    const problem = channelRulesProblem(rules, kind, bounds);
    if (problem !== undefined) return { ...problem, field: `${field}.${problem.field}` };
  }
  return undefined;
}
