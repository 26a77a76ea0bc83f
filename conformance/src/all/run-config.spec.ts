import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError } from "../cases/yaml-source.ts";
import { onlyNamed, readRunConfig } from "./run-config.ts";

const target = "name: mine\nprofiles: [CORE]\naddresses: [ws://127.0.0.1:1/v1/connect]\n";

async function read(config: string) {
  await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-run-"));
  await writeFile(join(folder.path, "target.yaml"), target);
  await writeFile(join(folder.path, "run.yaml"), config);
  return readRunConfig(join(folder.path, "run.yaml"));
}

describe("readRunConfig", () => {
  it("finds targets beside the file, and takes the server's name from there", async () => {
    const { servers, clients } = await read(
      "servers: [{ target: target.yaml }]\nclients: [{ name: a, adapter: ./a, weight: 3 }]",
    );
    expect(servers.map(({ name }) => name)).toEqual(["mine"]);
    expect(clients[0]).toMatchObject({ name: "a", adapter: "./a", weight: 3 });
  });

  it.each([
    ["names nothing", "servers: []", "names no implementation"],
    ["has a client without a name", "clients: [{ adapter: ./a }]", "clients[0] has no name"],
    ["has a client without an adapter", "clients: [{ name: a }]", "clients[0] has no adapter"],
    ["has a name twice", "servers: [{ target: target.yaml }]\nclients: [{ name: mine, adapter: a }]", "mine twice"],
    [
      "pairs a client that is none",
      "servers: [{ target: target.yaml }]\npairs: [{ client: b, server: mine }]",
      "no client",
    ],
    ["misspells a field", "clients: [{ name: a, adaptor: a }]", "(did you mean adapter?)"],
  ])("refuses a file that %s", async (_, config, problem) => {
    const error = await read(config).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FileError);
    expect((error as FileError).message).toContain(problem);
  });

  it("leaves what is not named out, and refuses names of nothing", async () => {
    const config = await read("servers: [{ target: target.yaml }]\nclients: [{ name: a, adapter: ./a }]");
    expect(onlyNamed(config, ["a"])).toMatchObject({ servers: [], clients: [{ name: "a" }] });
    expect(onlyNamed(config, undefined)).toBe(config);
    expect(() => onlyNamed(config, ["main"])).toThrow("did you mean mine?");
  });
});
