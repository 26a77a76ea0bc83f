import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { ClientCommandSchema, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { connect } from "@fanfare/sdk-browser";
import { SdkAdapter } from "../../sdk/sdk-adapter.ts";

// The page that holds @fanfare/sdk-browser: commands come as calls of `command`, reports leave as calls of `report`, both as base64, because
// nothing else of the messages' bytes passes between a page and the program that drives it.
declare global {
  /** Put there by the program that drives the page. */
  function report(base64: string): Promise<void>;
  var command: (base64: string) => void;
}

const adapter = new SdkAdapter({
  name: "fanfare-sdk-browser",
  connect,
  hidesHttpStatus: true,
  report: (report) => {
    const bytes = toBinary(ClientReportSchema, create(ClientReportSchema, { report }));
    void globalThis.report(base64Encode(bytes));
  },
});
globalThis.command = (base64) => void adapter.execute(fromBinary(ClientCommandSchema, base64Decode(base64)));
adapter.ready();
