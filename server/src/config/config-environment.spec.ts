import { create } from "@bufbuild/protobuf";
import { LogLevel, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { describe, expect, it } from "vitest";
import { configVariables, overlayEnvironment } from "./config-environment.ts";
import { ConfigError } from "./config-error.ts";
import type { Environment } from "./key-material.ts";

function overlaid(environment: Environment) {
  const config = create(ServerConfigSchema, { listen: { host: "10.0.0.1", port: 1 } });
  const variables = overlayEnvironment(config, environment);
  return { config, variables };
}

describe("overlayEnvironment", () => {
  it("has a variable for every single value, nested ones too, and none for lists", () => {
    const names = [...configVariables.keys()];
    expect(names).toEqual(expect.arrayContaining(["FANFARE_NODE_ID", "FANFARE_DEV", "FANFARE_LISTEN_TLS_KEY_FILE"]));
    expect(names).toEqual(expect.arrayContaining(["FANFARE_TIMING_MAX_LINGER_MS", "FANFARE_OBSERVE_LOG_FORMAT"]));
    expect(names.filter((name) => name.includes("APPS") || name.includes("TRUSTED"))).toEqual([]);
  });

  it("sets numbers, texts, truth values and enums, and makes the messages around them", () => {
    const { config, variables } = overlaid({
      FANFARE_TIMING_HELLO_TIMEOUT_MS: "250",
      FANFARE_NODE_ID: "n1",
      FANFARE_DEV: "true",
      FANFARE_OBSERVE_METRICS_DISABLED: "0",
      FANFARE_OBSERVE_LOG_LEVEL: "LOG_LEVEL_WARN",
      FANFARE_LISTEN_TLS_KEY_FILE: "/key.pem",
    });
    expect(config.timing?.helloTimeoutMs).toBe(250);
    expect(config).toMatchObject({ nodeId: "n1", dev: true });
    expect(config.observe).toMatchObject({ metricsDisabled: false, logLevel: LogLevel.WARN });
    expect(config.listen).toMatchObject({ host: "10.0.0.1", tls: { keyFile: "/key.pem" } });
    expect(variables.get("listen.tls.key_file")).toBe("FANFARE_LISTEN_TLS_KEY_FILE");
  });

  it("leaves the rest as it was, and takes empty variables for unset ones", () => {
    expect(overlaid({ FANFARE_LISTEN_PORT: "", HOME: "/root", PORT: "" }).config.listen).toMatchObject({ port: 1 });
  });

  it("takes PORT and HOST, unless the longer names are set", () => {
    expect(overlaid({ PORT: "80", HOST: "::1" }).config.listen).toMatchObject({ host: "::1", port: 80 });
    expect(overlaid({ PORT: "80", FANFARE_LISTEN_PORT: "81" }).config.listen).toMatchObject({ port: 81 });
  });

  it("names the variable that cannot be read", () => {
    expect(() => overlaid({ FANFARE_LISTEN_PORT: "http" })).toThrow(
      /^FANFARE_LISTEN_PORT cannot be "http": write a whole number from 0 to 65535$/,
    );
    expect(() => overlaid({ FANFARE_DEV: "maybe" })).toThrow(/^FANFARE_DEV cannot be "maybe": write true or false/);
    expect(() => overlaid({ PORT: "-1" })).toThrow(/^PORT cannot be/);
  });

  it("refuses unknown variables and names the one most like it", () => {
    expect(() => overlaid({ FANFARE_LISTEN_PROT: "1" })).toThrow(ConfigError);
    expect(() => overlaid({ FANFARE_LISTEN_PROT: "1" })).toThrow(/did you mean FANFARE_LISTEN_PORT\?/);
  });

  it("ignores what Kubernetes tells of Services that are named like it", () => {
    const ofService = (prefix: string) => ({
      [`${prefix}_SERVICE_HOST`]: "10.96.0.7",
      [`${prefix}_SERVICE_PORT`]: "8080",
      [`${prefix}_SERVICE_PORT_HTTP`]: "8080",
      [`${prefix}_PORT`]: "tcp://10.96.0.7:8080",
      [`${prefix}_PORT_8080_TCP`]: "tcp://10.96.0.7:8080",
      [`${prefix}_PORT_8080_TCP_PROTO`]: "tcp",
      [`${prefix}_PORT_8080_TCP_PORT`]: "8080",
      [`${prefix}_PORT_8080_TCP_ADDR`]: "10.96.0.7",
    });
    const { config, variables } = overlaid({ ...ofService("FANFARE"), ...ofService("FANFARE_VALKEY") });
    expect(config).toEqual(create(ServerConfigSchema, { listen: { host: "10.0.0.1", port: 1 } }));
    expect(variables.size).toBe(0);
    expect(() => overlaid({ FANFARE_PORT: "8080" })).toThrow(
      /^FANFARE_PORT is an environment variable that sets nothing/,
    );
    expect(() => overlaid({ FANFARE_VALKEY_PORT: "6379" })).toThrow(/sets nothing/);
  });

  it("says of a list that no variable sets it", () => {
    expect(() => overlaid({ FANFARE_APPS: "x" })).toThrow(
      /^FANFARE_APPS sets nothing: apps is a list, and lists are set in the file alone/,
    );
    expect(() => overlaid({ FANFARE_VALKEY_ADDRESSES: "a:1" })).toThrow(/valkey.addresses is a list/);
    expect(() => overlaid({ FANFARE_LISTEN_ADDITIONAL_0_PORT: "1" })).toThrow(/listen.additional is a list/);
  });
});
