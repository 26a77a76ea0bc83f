import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";

/** What an adapter reports. */
export type Report = NonNullable<MessageInitShape<typeof ClientReportSchema>["report"]>;

/** What an adapter reports of a command that has ended, without its id. */
export type Done = Extract<Report, { case: "done" }>["value"];
