import { describe, expect, it } from "vitest";
import { createLog, type LogEntry } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { RefusalLog } from "./refusal-log.ts";

const noPermission = new Error("An error was signalled by the server: - PermissionDenied: User u may not run 'wait'");
const noMemory = new Error("OOM: command not allowed when used memory > 'maxmemory'.");

function refusals() {
  const clock = new VirtualClock();
  const entries: LogEntry[] = [];
  const log = createLog({ level: "info", sink: (entry) => entries.push(entry), nowMs: () => clock.nowMs() });
  return { clock, entries, told: new RefusalLog({ clock, log, name: "test" }) };
}

describe("what Valkey refuses", () => {
  it("is told in its words, as a warning", () => {
    const { entries, told } = refusals();
    told.noteAll(["OK", null, noPermission, 7]);
    expect(entries).toMatchObject([
      { level: "warn", fields: { client: "test", reason: "PermissionDenied: User u may not run 'wait'" } },
    ]);
  });

  it("is told once a minute for each kind", () => {
    const { clock, entries, told } = refusals();
    for (let i = 0; i < 59; i++) {
      told.note(noMemory);
      told.note(noPermission);
      clock.advance(1000);
    }
    expect(entries).toHaveLength(2);
    clock.advance(1000);
    told.note(noMemory);
    expect(entries).toHaveLength(3);
  });

  it("is no connection that was lost, no redirection, and no function that is loaded then", () => {
    const { entries, told } = refusals();
    for (const text of ["timed out", "Reached maximum inflight requests"]) told.note(new Error(text));
    for (const text of [
      "Moved: 1195 127.0.0.1:42465; ExtensionError",
      "TryAgain: Multiple keys request during rehashing of slot",
      "ResponseError: Function not found",
      "ResponseError: Library 'fanfare_log_1' already exists",
    ]) {
      told.note(new Error(`An error was signalled by the server: - ${text}`));
    }
    expect(entries).toEqual([]);
  });

  it("takes bounded room, whatever the errors are called", () => {
    const { entries, told } = refusals();
    for (let i = 0; i < 100; i++) told.note(new Error(`An error was signalled by the server: - E${i}: x`));
    expect(entries).toHaveLength(17);
    told.note(new Error(`OOM: ${"x".repeat(10_000)}`));
    expect(String(entries.at(-1)?.fields.reason).length).toBeLessThan(400);
  });
});
