import { ClientCommandSchema, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { framed, readFramed } from "../adapters/length-prefixed.ts";
import { type ClientMutant, clientMutants } from "../mutants/client-mutants.ts";
import { ReferenceAdapter } from "./adapter.ts";

// The reference client as an adapter program. Arguments name the rules that it breaks; none: it keeps all of them.
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in clientMutants));
if (unknown.length > 0) {
  console.error(`there is no mutant ${unknown.join(", ")}`);
  process.exit(2);
}
const adapter = new ReferenceAdapter(new Set(names as ClientMutant[]), (report) => {
  process.stdout.write(framed(ClientReportSchema, report));
});
adapter.ready();
for await (const command of readFramed(ClientCommandSchema, process.stdin)) void adapter.execute(command);
process.exit(0);
