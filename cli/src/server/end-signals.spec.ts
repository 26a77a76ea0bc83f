import { describe, expect, it, vi } from "vitest";
import { hearSignals } from "./end-signals.ts";

describe("hearSignals", () => {
  it("takes what comes at once again for the same wish, and ends the process on a second one", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const exit = vi.spyOn(process, "exit").mockReturnValue(undefined as never);
    try {
      const heard: string[] = [];
      using _ = hearSignals(
        (signal) => heard.push(signal),
        () => heard.push("second"),
      );
      process.emit("SIGINT", "SIGINT");
      process.emit("SIGINT", "SIGINT"); // by way of npm, which has got it from the terminal as well
      vi.advanceTimersByTime(50);
      process.emit("SIGTERM", "SIGTERM");
      expect([heard, exit.mock.calls]).toEqual([["SIGINT"], []]);
      vi.advanceTimersByTime(1000);
      process.emit("SIGTERM", "SIGTERM");
      expect([heard, exit.mock.calls]).toEqual([["SIGINT", "second"], [[143]]]);
    } finally {
      exit.mockRestore();
      vi.useRealTimers();
    }
  });
});
