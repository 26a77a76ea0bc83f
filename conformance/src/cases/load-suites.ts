import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DescMessage } from "@bufbuild/protobuf";
import {
  type Case,
  ClientReportSchema,
  FrameTemplate,
  Level,
  Profile,
  Subject,
  type Suite,
  SuiteSchema,
} from "@fanfare/proto/conformance/v1alpha";
import {
  ClientFrameSchema,
  HelloSchema,
  ReplySchema,
  ServerFrameSchema,
  SubscribedSchema,
  WelcomeSchema,
} from "@fanfare/proto/v1";
import { parse } from "yaml";
import { checkCase } from "./case-check.ts";
import type { Requirement } from "./requirements.ts";
import { readYamlMessage } from "./yaml-message.ts";
import { FileError, type FileProblem, YamlSource } from "./yaml-source.ts";

/** A case, and the file it stands in. */
export interface LoadedCase {
  readonly definition: Case;
  readonly file: string;
}

/** The folder of the suites that come with the runner. */
export const suitesFolder = fileURLToPath(new URL("../../suites", import.meta.url));

/**
 * Reads every case of the suites in a folder.
 * @throws FileError naming every problem of every file
 */
export function loadSuites(requirements: ReadonlyMap<string, Requirement>, folder = suitesFolder): LoadedCase[] {
  const problems: FileProblem[] = [];
  const cases: LoadedCase[] = [];
  const files = new Map<string, string>();
  for (const name of readdirSync(folder)
    .filter((one) => one.endsWith(".yaml"))
    .sort()) {
    try {
      for (const definition of readSuite(name, readFileSync(join(folder, name), "utf8"), requirements)) {
        const earlier = files.get(definition.id);
        if (earlier !== undefined)
          problems.push({ file: name, path: "", problem: `${definition.id} is in ${earlier} too` });
        files.set(definition.id, name);
        cases.push({ definition, file: name });
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new FileError(problems);
  return cases;
}

/**
 * Reads the cases of one suite.
 * @throws FileError naming each problem with its line
 */
export function readSuite(file: string, text: string, requirements: ReadonlyMap<string, Requirement>): Case[] {
  const source = new YamlSource(file, text);
  const suite = readYamlMessage(SuiteSchema, source, templatesFor(subjectOf(text)));
  const problems: FileProblem[] = [];
  if (suite.cases.length === 0) problems.push(source.problem([], "has no cases"));
  for (const [i, one] of suite.cases.entries()) {
    inherit(one, suite, requirements);
    checkCase(one, requirements, (path, problem) => problems.push(source.problem(["cases", i, ...path], problem)));
    if (one.profile === Profile.UNSPECIFIED) problems.push(source.problem(["cases", i], "has no profile"));
  }
  if (problems.length > 0) throw new FileError(problems);
  return suite.cases;
}

function inherit(one: Case, suite: Suite, requirements: ReadonlyMap<string, Requirement>): void {
  one.profile ||= suite.profile;
  one.subject ||= suite.subject || Subject.SERVER;
  one.level ||= Math.min(...one.specs.map((spec) => levelOf(requirements.get(spec)))) || Level.MUST;
}

function levelOf(requirement: Requirement | undefined): Level {
  if (requirement?.level.startsWith("SHOULD")) return Level.SHOULD;
  return requirement?.level === "MAY" ? Level.MAY : Level.MUST;
}

function subjectOf(text: string): Subject {
  const { subject } = (parse(text) ?? {}) as { subject?: unknown };
  return String(subject).toUpperCase().endsWith("CLIENT") ? Subject.CLIENT : Subject.SERVER;
}

/** The frames that the runner sends and receives, which depend on whom it plays. */
function templatesFor(subject: Subject): (template: FrameTemplate) => DescMessage {
  const [sent, received] =
    subject === Subject.CLIENT ? [ServerFrameSchema, ClientFrameSchema] : [ClientFrameSchema, ServerFrameSchema];
  const messages: Record<FrameTemplate, DescMessage> = {
    [FrameTemplate.UNSPECIFIED]: sent,
    [FrameTemplate.SENT]: sent,
    [FrameTemplate.RECEIVED]: received,
    [FrameTemplate.HELLO]: HelloSchema,
    [FrameTemplate.HELLO_RECEIVED]: HelloSchema,
    [FrameTemplate.WELCOME]: WelcomeSchema,
    [FrameTemplate.WELCOME_SENT]: WelcomeSchema,
    [FrameTemplate.REPLY]: ReplySchema,
    [FrameTemplate.REPORT]: ClientReportSchema,
    [FrameTemplate.CLIENT_FRAME]: ClientFrameSchema,
    [FrameTemplate.SERVER_FRAME]: ServerFrameSchema,
    [FrameTemplate.SUBSCRIBED_SENT]: SubscribedSchema,
  };
  return (template) => messages[template];
}
