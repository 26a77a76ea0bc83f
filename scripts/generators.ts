/** Scripts that write generated files; with `--check` each writes nothing and fails when a file is not what it would write. */
export const generators = ["generate-sdk-wire.ts", "readme-snippets.ts"] as const;
