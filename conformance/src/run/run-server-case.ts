import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type Case,
  type CaseResult,
  CaseResultSchema,
  CaseStatus,
  Need,
  NeedSchema,
  Profile,
  ProfileSchema,
} from "@fanfare/proto/conformance/v1alpha";
import { shortEnumName } from "../cases/enum-name.ts";
import type { ServerEnvironment, ServerHandle } from "../target/environment.ts";
import { describeFailure } from "./describe-failure.ts";
import { HarnessError } from "./failure.ts";
import type { Form } from "./frame-form.ts";
import { ServerCase } from "./server-case.ts";
import { runServerStep } from "./server-steps.ts";
import { Trace } from "./trace.ts";

/** Past this a case is given up, whatever its steps allow: it hangs. */
const hardLimitMs = 90_000;

/** Why a target need not pass a case: what it does not claim. Undefined if it has to. */
export function unsupportedBy(one: Case, form: Form, environment: ServerEnvironment): string | undefined {
  if (!environment.profiles.has(one.profile)) return `the profile ${profileName(one.profile)} is not claimed`;
  if (form === "json" && !environment.profiles.has(Profile.JSON)) return "the profile JSON is not claimed";
  const feature = one.features.find((name) => !environment.features.has(name));
  if (feature !== undefined) return `the feature ${feature} is not claimed`;
  const need = one.needs.find((wanted) => !offers(environment, wanted));
  if (need !== undefined)
    return `the target does not offer ${shortEnumName(NeedSchema, NeedSchema.value[need]?.name ?? "")}`;
  return undefined;
}

function offers(environment: ServerEnvironment, need: Need): boolean {
  switch (need) {
    case Need.CONTROL:
      return environment.shared.control !== undefined;
    case Need.DISPOSABLE:
      return environment.disposable !== undefined;
    case Need.MOVE:
      return environment.disposable !== undefined && environment.canMove;
    case Need.KEY_PAIR:
      return ["ES256", "RS256", "EdDSA"].every((name) =>
        environment.tokens.apps.alpha?.keys.some((key) => key.algorithm === name),
      );
    case Need.SECOND_APP:
      return environment.tokens.apps.beta !== undefined;
    default:
      return false;
  }
}

function profileName(profile: Profile): string {
  return shortEnumName(ProfileSchema, ProfileSchema.value[profile]?.name ?? "");
}

/** Runs one case in one form. Never rejects: what went wrong is in the result. */
export async function runServerCase(one: Case, form: Form, environment: ServerEnvironment): Promise<CaseResult> {
  const startedAtMs = performance.now();
  const result = create(CaseResultSchema, {
    id: form === "json" && one.profile !== Profile.JSON ? `${one.id}#json` : one.id,
    title: one.title,
    specs: one.specs,
    level: one.level,
    profile: form === "json" ? Profile.JSON : one.profile,
    status: CaseStatus.PASS,
  });
  const unsupported = unsupportedBy(one, form, environment);
  if (unsupported !== undefined) {
    return Object.assign(result, { status: CaseStatus.UNSUPPORTED, message: unsupported });
  }
  const trace = new Trace();
  try {
    const ownsServer = one.needs.includes(Need.DISPOSABLE) || one.needs.includes(Need.MOVE);
    if (ownsServer) {
      await using server = await startOwn(environment);
      await runSteps(one, form, environment, server, trace, result);
    } else await runSteps(one, form, environment, environment.shared, trace, result);
  } catch (error) {
    describeFailure(error, result, one);
    result.trace = trace.entries();
  }
  result.durationMs = Math.round(performance.now() - startedAtMs);
  return result;
}

/** Starts a server for one case. @throws HarnessError when the target has none */
export function startOwn(environment: ServerEnvironment) {
  if (environment.disposable === undefined) throw new HarnessError("the target has no disposable server");
  return environment.disposable();
}

async function runSteps(
  definition: Case,
  form: Form,
  environment: ServerEnvironment,
  server: ServerHandle,
  trace: Trace,
  result: CaseResult,
): Promise<void> {
  const run = randomBytes(4).toString("hex");
  const running = new ServerCase({ definition, environment, server, form, run, trace });
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new HarnessError(`the case hangs: ${hardLimitMs} ms have passed`)),
    hardLimitMs,
  );
  try {
    for (const [i, step] of definition.steps.entries()) {
      result.step = i + 1;
      trace.note(step.on, `step ${i + 1}: ${step.action.case}`);
      await Promise.race([runServerStep(running, step), running.broken, late]);
    }
    await Promise.race([running.broken, Promise.resolve()]);
    result.step = 0;
  } finally {
    clearTimeout(timer);
    running.end();
  }
}
