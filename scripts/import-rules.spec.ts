import { describe, expect, it } from "vitest";
import { forbiddenImports, importsOf } from "./import-rules.ts";

describe("importsOf", () => {
  it("finds every form of import", () => {
    const source = [
      'import "a";',
      'import b from "b";',
      'import type { C } from "c";',
      'import {\n  d,\n} from "d";',
      'export * from "e";',
      'const f = await import("f");',
      'type G = import("g").G;',
    ].join("\n");
    expect(importsOf(source)).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  it("reads no comments and no addresses in strings as code", () => {
    expect(importsOf('// from "a"\n/* import "b" */\nconst url = "http://x"; import { c } from "c";')).toEqual(["c"]);
  });
});

describe("forbiddenImports", () => {
  const broken: [file: string, specifier: string][] = [
    ["server/src/hub/hub.ts", "../gateway/socket.ts"],
    ["server/src/router/router.ts", "../hub/hub.ts"],
    ["server/src/broker/memory/broker.ts", "../../router/router.ts"],
    ["server/src/broker/broker.ts", "../log/log.ts"],
    ["server/src/gateway/socket.ts", "../control/service.ts"],
    ["server/src/auth/token.ts", "../hub/hub.ts"],
    ["server/src/gateway/socket.ts", "../http/listener.ts"],
    ["server/src/hub/hub.ts", "../server.ts"],
    ["server/src/hub/hub.ts", "@valkey/valkey-glide"],
    ["server/src/hub/hub.spec.ts", "@fanfare/sdk-node"],
    ["server/src/server.ts", "@fanfare/sdk-core"],
    ["sdk-core/src/clock.ts", "node:timers"],
    ["sdk-core/src/socket.ts", "ws"],
    ["sdk-browser/src/socket.ts", "node:events"],
    ["sdk-node/src/client.ts", "../../sdk-core/src/index.ts"],
  ];
  it.each(broken)("finds that %s imports %s", (file, specifier) => {
    expect(forbiddenImports(file, `import { x } from "${specifier}";`)).toEqual([
      { file, specifier, rule: expect.any(String) },
    ]);
  });

  it("finds a type-only and a dynamic import as well", () => {
    const file = "server/src/hub/hub.ts";
    expect(forbiddenImports(file, 'import type { Socket } from "../gateway/socket.ts";')).toHaveLength(1);
    expect(forbiddenImports(file, 'const glide = await import("@valkey/valkey-glide");')).toHaveLength(1);
  });

  const kept: [file: string, specifier: string][] = [
    ["server/src/gateway/socket.ts", "../hub/hub.ts"],
    ["server/src/http/listener.ts", "../gateway/upgrade.ts"],
    ["server/src/hub/hub.ts", "../router/router.ts"],
    ["server/src/hub/hub.ts", "../auth/token.ts"],
    ["server/src/hub/hub.ts", "../clock.ts"],
    ["server/src/control/service.ts", "../hub/hub.ts"],
    ["server/src/hub/hub.spec.ts", "../gateway/socket.ts"],
    ["server/src/server.ts", "./gateway/socket.ts"],
    ["server/src/broker/valkey/client.ts", "@valkey/valkey-glide"],
    ["sdk-core/src/connection.ts", "@fanfare/proto/v1"],
    ["sdk-core/src/connection.spec.ts", "vitest"],
    ["sdk-node/src/client.ts", "node:events"],
  ];
  it.each(kept)("lets %s import %s", (file, specifier) => {
    expect(forbiddenImports(file, `import { x } from "${specifier}";`)).toEqual([]);
  });
});
