import { create } from "@bufbuild/protobuf";
import { ListenSchema } from "@fanfare/proto/config/v1";
import { devConfig, resolveConfig, startServer } from "@fanfare/server";
import { describe, expect, it } from "vitest";
import { Output } from "../terminal/output.ts";
import { drainOnSignal } from "./signals.ts";

describe("drainOnSignal", () => {
  it("ends a server that was told to end before it had started", async () => {
    const { config } = devConfig();
    config.listen = create(ListenSchema, { port: 0 });
    const gate = Promise.withResolvers<void>();
    const opening = gate.promise.then(() => startServer({ config: resolveConfig(config) }));
    using signals = drainOnSignal(opening, { isShort: true, output: new Output(false) });
    expect(signals.isEnding).toBe(false);
    process.emit("SIGTERM");
    gate.resolve();
    await using server = await opening;
    expect(signals.isEnding).toBe(true);
    await server.closed;
  });

  it("leaves one that could not start to whoever waits for it", async () => {
    const opening = Promise.reject(new Error("the port is taken"));
    using _ = drainOnSignal(opening, { isShort: true, output: new Output(false) });
    process.emit("SIGTERM");
    await expect(opening).rejects.toThrow("the port is taken");
  });
});
