import { Session } from "node:inspector/promises";
import type { Scenario } from "../scenarios/scenario.ts";
import type { FromContender, Ready, ToContender } from "./messages.ts";

/** The scenario that the load process started this contender for. */
export function scenarioOfThisProcess(): Scenario {
  const text = process.argv[2];
  if (text === undefined || process.send === undefined) {
    throw new Error("this file is started by the benchmark, with a scenario and an IPC channel");
  }
  return JSON.parse(text) as Scenario;
}

/** Tells the load process where to connect, and answers its questions until it says stop. */
export function serveLoadProcess(ready: Omit<Ready, "kind">, stop: () => void | Promise<void>): void {
  const profiler = new Session();
  const answer = async (request: ToContender): Promise<void> => {
    switch (request.kind) {
      case "cpu": {
        const { user, system } = process.cpuUsage();
        return say({ kind: "cpu", userUs: user, systemUs: system });
      }
      case "startProfile":
        profiler.connect();
        await profiler.post("Profiler.enable");
        await profiler.post("Profiler.setSamplingInterval", { interval: 200 });
        await profiler.post("Profiler.start");
        return;
      case "stopProfile": {
        const { profile } = await profiler.post("Profiler.stop");
        profiler.disconnect();
        return say({ kind: "profile", profile });
      }
      case "stop":
        await stop();
        process.disconnect();
        process.exit(0);
    }
  };
  process.on("message", (request) => void answer(request as ToContender));
  process.on("disconnect", () => process.exit(0)); // the load process is gone
  say({ kind: "ready", ...ready });
}

function say(message: FromContender): void {
  process.send!(message);
}
