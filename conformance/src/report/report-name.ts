import type { Report } from "@fanfare/proto/conformance/v1alpha";

/** Whom a report is about: an implementation, or a client with a server. */
export function reportName({ implementation, peer }: Report): string {
  return peer === "" ? implementation : `${implementation} with ${peer}`;
}
