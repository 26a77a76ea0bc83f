import { create } from "@bufbuild/protobuf";
import { CaseResultSchema, CaseStatus, ReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { Progress } from "./progress.ts";

function written(isTTY: boolean, use: (progress: Progress) => void): string {
  let text = "";
  const screen = { isTTY, columns: 40, write: (one: string) => (text += one) };
  let nowMs = 0;
  using progress = new Progress(screen, () => (nowMs += 1000));
  use(progress);
  return text;
}

const result = (status: CaseStatus) => create(CaseResultSchema, { id: "core/a", status });

describe("Progress", () => {
  it("tells at once what fails, and how far each implementation is", () => {
    const text = written(false, (progress) => {
      progress.began("go", 2);
      progress.ended("go", result(CaseStatus.PASS));
      progress.ended("go", result(CaseStatus.FAIL));
      progress.show();
      progress.finished(create(ReportSchema, { implementation: "go", results: [result(CaseStatus.FAIL)] }));
      progress.show();
    });
    expect(text).toBe("   1 s  go: FAILED core/a\n   2 s  go 2/2\n   3 s  go: FAILED, 1 cases in 0.0 s\n");
  });

  it("changes one line of a terminal, which holds it, and clears it before it tells something", () => {
    const text = written(true, (progress) => {
      progress.began("a-name-of-some-length-for-a-terminal", 100);
      progress.show();
      progress.say("done");
    });
    const [status, said] = text.split("\r\x1b[K");
    expect(status).toHaveLength(39);
    expect(said).toBe("   2 s  done\n");
  });

  it("does not flood who reads it", () => {
    const text = written(false, (progress) => {
      progress.began("go", 100);
      for (let i = 0; i < 100; i++) progress.ended("go", result(CaseStatus.FAIL));
    });
    expect(text.split("\n").length - 1).toBe(11);
    expect(text).toContain("more that fail are told at the end");
  });
});
