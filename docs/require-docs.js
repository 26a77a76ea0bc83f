import { Application, ReflectionKind } from "typedoc";

const documentedKinds =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Enum |
  ReflectionKind.EnumMember |
  ReflectionKind.Variable |
  ReflectionKind.Property |
  ReflectionKind.Accessor |
  ReflectionKind.CallSignature |
  ReflectionKind.ConstructorSignature;

/**
 * A plugin for typedoc: warns of every public name without a doc comment. typedoc's own rule also asks for one at each member of an
 * object type written in place, where the comment of the name that it belongs to says more.
 *
 * @param {Application} app
 */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const reflection of project.getReflectionsByKind(documentedKinds)) {
      if (!isExempt(reflection) && !isDocumented(reflection)) {
        app.logger.validationWarning(`${reflection.getFullName()} has no doc comment`);
      }
    }
  });
}

function isDocumented(reflection) {
  return reflection.hasComment() || (reflection.isSignature?.() && reflection.parent.hasComment());
}

/** Members of types written in place, what a base class documents, and names that the language gives a meaning to. */
function isExempt(reflection) {
  if (reflection.flags.isExternal || reflection.inheritedFrom || reflection.overwrites) return true;
  if (reflection.kindOf(ReflectionKind.Accessor) && reflection.getSignature?.hasComment()) return true;
  if (reflection.name.startsWith("[")) return true;
  for (let inside = reflection; inside !== undefined; inside = inside.parent) {
    if (inside.kindOf(ReflectionKind.TypeLiteral) && inside.name === "__type") return true;
  }
  return false;
}
