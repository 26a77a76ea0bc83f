import { type Case, type Step, Subject } from "@fanfare/proto/conformance/v1alpha";
import { suggestion } from "./nearest-name.ts";
import { placeholdersIn } from "./placeholders.ts";
import type { Requirement } from "./requirements.ts";

/** Receives what is wrong, with its path within the case. */
type Report = (path: readonly (string | number)[], problem: string) => void;

const id = /^[a-z]+(?:\/[a-z0-9]+(?:-[a-z0-9]+)*)+$/;
const general = [
  "run",
  "seq",
  "n",
  "pad",
  "wide",
  "zeros",
  "features",
  "soonMs",
  "nowMs",
  "nowUs",
  "url",
  "url2",
  "secureUrl",
];

/** What the definition of a case cannot say: that ids exist, names are declared before they are used, and specs bind whom it is for. */
export function checkCase(one: Case, requirements: ReadonlyMap<string, Requirement>, report: Report): void {
  if (!id.test(one.id)) report(["id"], `is ${JSON.stringify(one.id)}; lower-case words between slashes are wanted`);
  if (one.title === "") report(["title"], "is missing");
  checkSpecs(one, requirements, report);
  if (one.steps.length === 0) report(["steps"], "are missing: a case that does nothing proves nothing");
  if (!one.steps.some(judges)) report(["steps"], "expect nothing: such a case cannot fail");
  const names = new Set<string>();
  for (const [i, step] of one.steps.entries())
    checkStep(one, step, names, (path, text) => report(["steps", i, ...path], text));
}

/** Whom a case of a subject says nothing about. */
const others: Readonly<Partial<Record<Subject, string>>> = { [Subject.CLIENT]: "server", [Subject.SERVER]: "client" };

function checkSpecs(one: Case, requirements: ReadonlyMap<string, Requirement>, report: Report): void {
  if (one.specs.length === 0) report(["specs"], "are missing: a case proves at least one requirement");
  for (const [i, spec] of one.specs.entries()) {
    const requirement = requirements.get(spec);
    const other = others[one.subject];
    if (requirement === undefined) {
      report(["specs", i], `is ${spec}, no requirement${suggestion(spec, requirements.keys())}`);
    } else if (requirement.binds === other) {
      report(["specs", i], `is ${spec}, which binds a ${other}, and this case is not for one`);
    }
    if (one.specs.indexOf(spec) !== i) report(["specs", i], `is ${spec} again`);
  }
}

const judging: ReadonlySet<string | undefined> = new Set([
  "request",
  "expect",
  "expectClose",
  "together",
  "expectNothing",
  "openRefused",
  "order",
  "check",
  "accept",
  "observe",
  "observeNothing",
  "acceptNothing",
  "answer",
  "begin",
  "enter",
  "delays",
]);

function judges({ action }: Step): boolean {
  if (action.case === "hello" || action.case === "join") return !action.value.noWelcome;
  if (action.case === "control") return !action.value.pending;
  return judging.has(action.case);
}

function checkStep(one: Case, step: Step, labels: Set<string>, report: Report): void {
  const actors = Object.keys(one.actors);
  if (step.action.case === undefined) report([], "has no action");
  if (step.on !== "" && !actors.includes(step.on)) {
    report(["on"], `is ${step.on}, no actor of this case${suggestion(step.on, actors)}`);
  }
  for (const path of placeholdersIn(step.action.value)) {
    const [root = "", second = ""] = path.split(".");
    if (root === "token" && (second in one.tokens || actors.includes(second))) continue;
    if (actors.includes(root) && ["player", "welcome", "app", "seq"].includes(second)) continue;
    if (general.includes(root) || labels.has(root)) continue;
    report(
      [],
      `uses \${${path}}, which nothing before it defines${suggestion(root, [...labels, ...actors, ...general])}`,
    );
  }
  if (step.action.case === "order") {
    for (const label of step.action.value.labels) {
      if (!labels.has(label)) report(["order"], `names ${label}, which no step before has as its label`);
    }
  }
  if (step.action.case === "together") {
    for (const name of step.action.value.actors) {
      if (!actors.includes(name))
        report(["together"], `names ${name}, no actor of this case${suggestion(name, actors)}`);
    }
  }
  if (step.as === "") return;
  if (labels.has(step.as) || actors.includes(step.as)) report(["as"], `is ${step.as}, which is taken`);
  labels.add(step.as);
}
