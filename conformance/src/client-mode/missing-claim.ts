import { type Case, Need, type Ready } from "@fanfare/proto/conformance/v1alpha";
import { type Form, subprotocolOf } from "../run/frame-form.ts";

/** What a case needs and a client's adapter does not claim; undefined: nothing. */
export function missingClaim(one: Case, form: Form, ready: Ready): string | undefined {
  return (
    one.features.find((name) => !ready.features.includes(name)) ??
    unknownVerb(one, ready) ??
    unspoken(form, ready) ??
    unmetNeed(one, ready)
  );
}

function unknownVerb({ steps }: Case, { verbs }: Ready): string | undefined {
  const names = steps.flatMap(({ action }) => {
    if (action.case === "command") return [action.value.do?.verb.case ?? ""];
    return action.case === "begin" ? ["connect"] : action.case === "enter" ? ["subscribe"] : [];
  });
  const known = verbs.map((name) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
  return names.find((name) => !known.includes(name));
}

function unspoken(form: Form, { subprotocols }: Ready): string | undefined {
  const spoken = subprotocols.length === 0 ? [subprotocolOf.binary] : subprotocols;
  return spoken.includes(subprotocolOf[form]) ? undefined : subprotocolOf[form];
}

function unmetNeed({ needs }: Case, { hidesHttpStatus }: Ready): string | undefined {
  return hidesHttpStatus && needs.includes(Need.HTTP_STATUS) ? "knowledge of HTTP statuses" : undefined;
}
