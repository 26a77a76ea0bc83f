import { create } from "@bufbuild/protobuf";
import { ClientCommandSchema, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { connect } from "@fanfare/sdk-node";
import { framed, readFramed } from "../length-prefixed.ts";
import { SdkAdapter } from "../sdk/sdk-adapter.ts";

// The adapter of @fanfare/sdk-node: does what commands on standard input say, and reports on standard output.
const adapter = new SdkAdapter({
  name: "fanfare-sdk-node",
  connect,
  report: (report) => void process.stdout.write(framed(ClientReportSchema, create(ClientReportSchema, { report }))),
});
adapter.ready();
for await (const command of readFramed(ClientCommandSchema, process.stdin)) void adapter.execute(command);
process.exit(0);
