import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";

const file = new URL("at-end.ts", import.meta.url).href;

/** Runs a program with `atEnd`, sends it a signal as soon as it says that it is ready, and tells what it said and how it ended. */
async function run(lines: readonly string[], signal?: NodeJS.Signals) {
  const program = [`import { atEnd } from ${JSON.stringify(file)};`, ...lines, 'console.log("ready");'].join("\n");
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (signal !== undefined && said === "ready\n") child.kill(signal);
  });
  const [code, endSignal] = await once(child, "close");
  return { code, endSignal, said: said.trim().split("\n").slice(1) };
}

const wait = "setInterval(() => {}, 1000);";
const two = [
  'atEnd((signal) => console.log("first", signal ?? "exit"));',
  'atEnd((signal) => console.log("second", signal ?? "exit"));',
];

it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("does what is due at %s, which ends the process", async (signal) => {
  expect(await run([...two, wait], signal)).toEqual({
    code: null,
    endSignal: signal,
    said: [`first ${signal}`, `second ${signal}`],
  });
});

it("does what is due when the process exits by itself, and not what was taken back", async () => {
  const said = await run([...two, 'atEnd(() => console.log("third"))();']);
  expect(said).toEqual({ code: 0, endSignal: null, said: ["first exit", "second exit"] });
});

it("leaves the signal to whoever else listens, and does nothing twice", async () => {
  const listen = 'process.on("SIGTERM", () => { console.log("mine"); process.exit(7); });';
  const { said, ...how } = await run([...two, listen, wait], "SIGTERM");
  expect(how).toEqual({ code: 7, endSignal: null });
  expect(said).toEqual(["first SIGTERM", "second SIGTERM", "mine"]);
});
