import { readFileSync } from "node:fs";
import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { readSuite } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { runServerCase } from "../run/run-server-case.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { type Finding, remedyOf } from "./finding.ts";

const suite = new URL("../../doctor/server.yaml", import.meta.url);

/** Checks a target from the socket up, and stops at the first thing that is wrong. */
export async function* diagnoseServer(environment: ServerEnvironment): AsyncGenerator<Finding> {
  const requirements = readRequirements();
  for (const check of readSuite("doctor/server.yaml", readFileSync(suite, "utf8"), requirements)) {
    const result = await runServerCase(check, "binary", environment);
    const { status, message } = result;
    if (status === CaseStatus.UNSUPPORTED) continue;
    if (status !== CaseStatus.PASS) {
      return yield { name: check.title, problem: message, remedy: remedyOf(result, check, requirements) };
    }
    yield { name: check.title };
  }
}
