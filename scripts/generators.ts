/**
 * Scripts that write generated files, each after those whose output it reads; with `--check` each writes nothing and fails when a
 * file is not what it would write.
 */
export const generators = [
  "plain-proto.ts",
  "go-generated.ts",
  "example-code.ts",
  "generate-sdk-wire.ts",
  "protocol-tables.ts",
  "protocol-examples.ts",
  "requirements.ts",
  "traceability.ts",
  "protocol-reference.ts",
  "metrics-reference.ts",
  "readme-snippets.ts",
] as const;
