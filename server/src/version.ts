/** The version of this server; `version.spec.ts` holds it against package.json. */
export const version = "0.1.0";
