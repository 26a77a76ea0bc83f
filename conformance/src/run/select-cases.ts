import { type Case, Profile, type Subject } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import type { Form } from "./frame-form.ts";

/** Which cases to run. Unset: all. Of a list, one has to fit. */
export interface Selection {
  /** Ids, or beginnings of ids. */
  readonly cases?: readonly string[];
  readonly specs?: readonly string[];
  readonly profiles?: readonly Profile[];
  /** The least binding level that is run: LEVEL_SHOULD leaves out what proves a MAY alone. */
  readonly level?: number;
  readonly forms?: readonly Form[];
}

/** A case in one form. */
export interface PlannedCase {
  readonly definition: Case;
  readonly form: Form;
}

/** Cases of one subject that a selection names, each in the forms it has, in the order of their ids. */
export function selectCases(all: readonly LoadedCase[], subject: Subject, selection: Selection): PlannedCase[] {
  return all
    .map(({ definition }) => definition)
    .filter((one) => one.subject === subject)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap((definition) => formsOf(definition).map((form) => ({ definition, form })))
    .filter((one) => isSelected(one, selection));
}

/** Cases for whomever, of which a selection names at least one form, in the order of their ids. */
export function selectedDefinitions(all: readonly LoadedCase[], selection: Selection): Case[] {
  return all
    .map(({ definition }) => definition)
    .filter((definition) => formsOf(definition).some((form) => isSelected({ definition, form }, selection)))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A case of the profile JSON is written in JSON; others are written in binary and told again in JSON where that is possible. */
function formsOf({ profile, binaryOnly }: Case): Form[] {
  if (profile === Profile.JSON) return ["json"];
  return binaryOnly ? ["binary"] : ["binary", "json"];
}

function isSelected({ definition, form }: PlannedCase, selection: Selection): boolean {
  const { cases, specs, profiles, level, forms } = selection;
  if (cases && !cases.some((name) => definition.id === name || definition.id.startsWith(`${name}/`))) return false;
  if (specs && !specs.some((spec) => definition.specs.includes(spec))) return false;
  if (profiles && !profiles.includes(form === "json" ? Profile.JSON : definition.profile)) return false;
  if (level !== undefined && definition.level > level) return false;
  return forms === undefined || forms.includes(form);
}
