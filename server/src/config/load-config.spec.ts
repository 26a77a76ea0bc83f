import { Access, Scope } from "@fanfare/proto/config/v1";
import { describe, expect, it } from "vitest";
import { ConfigError } from "./config-error.ts";
import { type LoadOptions, loadConfig } from "./load-config.ts";

const text = `
apps:
  - id: game
    player_auth:
      keys:
        - id: k1
          algorithm: TOKEN_ALGORITHM_HS256
          secret: 0123456789abcdef0123456789abcdef
    allowedOrigins: ["https://game.example"]
    namespaces:
      - name: chat
        rules:
          publish: ACCESS_SUBSCRIBERS
`;

function load(options: Partial<LoadOptions>) {
  return loadConfig({ text, environment: {}, hostname: "host", ...options });
}

function errorOf(options: Partial<LoadOptions>): ConfigError {
  try {
    load(options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("loadConfig", () => {
  it("reads YAML, field names in either spelling", () => {
    const app = load({}).apps.get("game");
    expect(app?.allowedOrigins).toEqual(["https://game.example"]);
    expect([...(app?.namespaces.keys() ?? [])]).toEqual(["chat"]);
  });

  it("reads JSON", () => {
    const json = JSON.stringify({
      listen: { port: 1 },
      apps: [{ id: "a", playerAuth: { jwksUrl: "https://keys.example/set" } }],
    });
    expect(load({ text: json }).listen.port).toBe(1);
  });

  it.each([
    ["a field that is not known", "lisen:\n  port: 1\n", "lisen", 1, /did you mean listen\?/],
    ["a field of a wrong type", "listen:\n  port: none\n", "listen.port", 2, /cannot be "none": write a whole number/],
    ["a number with a fraction", "listen:\n  port: 1.5\n", "listen.port", 2, /cannot be 1.5/],
    ["a bound that is broken", "listen:\n  port: 65536\napps: [{id: a}]", "listen.port", 2, /greater than 65535/],
    ["a text where a mapping belongs", "listen: 8080\n", "listen", 1, /it has the fields host, port/],
    ["a mapping where a list belongs", "apps: {id: a}\n", "apps", 1, /write a list/],
    [
      "an enum value that is not known",
      "apps:\n- id: a\n  namespaces:\n  - name: n\n    rules:\n      publish: EVERYBODY\n",
      "apps[0].namespaces[0].rules.publish",
      6,
      /use one of ACCESS_NOBODY, ACCESS_MEMBERS/,
    ],
    [
      "two members of a oneof",
      "cluster_keys:\n- id: a\n  secret: x\n  environment: Y\n",
      "cluster_keys[0].environment",
      4,
      /is set beside secret/,
    ],
    [
      "a rule between fields",
      "listen:\n  host: 0.0.0.0\ndev: true\napps: [{id: a}]",
      "listen.host",
      2,
      /loopback only/,
    ],
  ])("names field and line of %s", (_, wrong, field, line, message) => {
    const error = errorOf({ text: wrong });
    expect({ field: error.field, line: error.line }).toEqual({ field, line });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`line ${line}: ${field} `);
  });

  it("names the line of text that is no YAML, and refuses a key that is given twice", () => {
    expect(errorOf({ text: "apps: [\n" })).toMatchObject({ line: 2 });
    expect(errorOf({ text: "dev: true\ndev: false\n" }).message).toMatch(/line 2: the text is no YAML.*unique/);
  });

  it("refuses a text that expands without end", () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x,x]"];
    for (const [name, inner] of ["ba", "cb", "dc", "ed", "fe"])
      bomb.push(`${name}: &${name} [${`*${inner},`.repeat(10)}]`);
    expect(errorOf({ text: bomb.join("\n") }).message).toMatch(/alias count/);
  });

  it("says that an empty text has no app, and what else would do", () => {
    expect(errorOf({ text: "" }).message).toBe(
      "apps is empty, and nobody could be served: add an app, or operator_keys with which apps are put at run time",
    );
  });

  it("needs no app where operators can put them, and checks the rest as ever", () => {
    const operator = `operator_keys: [{ id: o, sha256: ${"ab".repeat(32)} }]\n`;
    expect([...load({ text: operator }).apps]).toEqual([]);
    expect(errorOf({ text: `${operator}timing: { hello_timeout_ms: 1 }` }).field).toBe("timing.hello_timeout_ms");
  });

  it.each(["ab", `${"ab".repeat(32)} -`])("says where the digits of a hash come from, for %s", (sha256) => {
    const error = errorOf({ text: `operator_keys: [{ id: o, sha256: "${sha256}" }]` });
    expect(error.field).toBe("operator_keys[0].sha256");
    expect(error.message).toMatch(/is not 64 hexadecimal digits: write the first word of .* sha256sum` prints$/);
  });

  it("takes enum values without their prefix and in small letters, in texts, lists and variables", () => {
    const short = text.replace("TOKEN_ALGORITHM_HS256", "hs256").replace("ACCESS_SUBSCRIBERS", "Subscribers");
    const keys = `    api_keys: [{ id: b, sha256: ${"ab".repeat(32)}, scopes: [publish, SCOPE_READ, scope_admin] }]\n`;
    const config = load({ text: short + keys, environment: { FANFARE_OBSERVE_LOG_LEVEL: "debug" } });
    const game = config.apps.get("game");
    expect(game?.playerAuth.keys[0]?.algorithm).toBe("HS256");
    expect(game?.namespaces.get("chat")?.publish).toBe(Access.SUBSCRIBERS);
    expect([...(game?.apiKeys[0]?.scopes ?? [])]).toEqual([Scope.PUBLISH, Scope.READ, Scope.ADMIN]);
    expect(config.observe.logLevel).toBe("debug");
    expect(errorOf({ environment: { FANFARE_OBSERVE_LOG_LEVEL: "loud" } }).message).toMatch(
      /^FANFARE_OBSERVE_LOG_LEVEL cannot be "loud": use one of LOG_LEVEL_DEBUG, /,
    );
  });

  it("puts the environment on top of the text", () => {
    const config = load({ environment: { FANFARE_LISTEN_PORT: "9000", FANFARE_OBSERVE_LOG_LEVEL: "LOG_LEVEL_DEBUG" } });
    expect(config.listen.port).toBe(9000);
    expect(config.observe.logLevel).toBe("debug");
  });

  it("names the variable that breaks a bound", () => {
    const error = errorOf({ environment: { FANFARE_LISTEN_PORT: "70000" } });
    expect(error.message).toBe(
      "listen.port (FANFARE_LISTEN_PORT) is greater than 65535: write a whole number from 0 to 65535",
    );
  });

  it("knows the variables that the configuration names, and those of others", () => {
    const environment = { FANFARE_SIGNING: "x".repeat(32), FANFARE_URL: "http://127.0.0.1" };
    const named = `${text}cluster_keys: [{id: k, environment: FANFARE_SIGNING}]`;
    expect(load({ text: named, environment, otherVariables: ["FANFARE_URL"] }).clusterKeys[0]?.secret).toHaveLength(32);
    expect(errorOf({ text: named, environment }).field).toBe("FANFARE_URL");
  });
});
