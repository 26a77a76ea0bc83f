import { describe, expect, it } from "vitest";
import { createLog, type LogEntry, silentLog } from "./log.ts";
import { jsonSink, textSink } from "./log-sink.ts";

function recorded(level: "debug" | "warn") {
  const entries: LogEntry[] = [];
  return { entries, log: createLog({ level, nowMs: () => 5, sink: (entry) => entries.push(entry) }) };
}

function lineOf(sink: typeof jsonSink, message: string, fields = {}): string {
  const lines: string[] = [];
  sink((line) => lines.push(line))({ atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), level: "warn", message, fields });
  expect(lines).toHaveLength(1);
  return lines[0]!;
}

describe("createLog", () => {
  it("leaves out what is below its level", () => {
    const { entries, log } = recorded("warn");
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(entries.map(({ message }) => message)).toEqual(["c", "d"]);
    expect([log.enabled("info"), log.enabled("warn")]).toEqual([false, true]);
  });

  it("adds the fields of its parents, and takes the time from its clock", () => {
    const { entries, log } = recorded("debug");
    log.child({ app: "a", node: 1 }).child({ node: 2 }).info("m", { x: 3 });
    expect(entries).toEqual([{ atMs: 5, level: "info", message: "m", fields: { app: "a", node: 2, x: 3 } }]);
  });

  it("can be silent", () => {
    expect(() => silentLog.error("nobody hears")).not.toThrow();
  });
});

describe("sinks of the log", () => {
  it("write one JSON object a line", () => {
    const line = lineOf(jsonSink, "m\n", { big: 2n ** 60n, bytes: new Uint8Array(3), gone: undefined, level: "x" });
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-02T03:04:05.006Z",
      level: "warn",
      message: "m\n",
      big: "1152921504606846976",
      bytes: "3 bytes",
    });
    expect(line).not.toContain("\n");
  });

  it("write one line for people that nothing can break out of", () => {
    const line = lineOf(textSink, "hello\nworld\u001b[31m", { origin: "https://a.example", name: 'x" level=error\n' });
    expect(line).toBe(
      '03:04:05.006 warn  hello\\nworld\\u001b[31m origin=https://a.example name="x\\" level=error\\n"',
    );
  });

  it("tell an error with its causes, and stand one that causes itself", () => {
    const error: Error = new Error("outer", { cause: new TypeError("inner") });
    expect(JSON.parse(lineOf(jsonSink, "m", { error })).error).toMatchObject({
      name: "Error",
      message: "outer",
      cause: { name: "TypeError", message: "inner" },
    });
    error.cause = error;
    expect(lineOf(jsonSink, "m", { error })).toContain("outer");
  });
});
