import { toJsonString } from "@bufbuild/protobuf";
import { type ClientFrame, type ServerFrame, ServerFrameSchema } from "@fanfare/proto/v1";
import { broken, type ServerRule, type Violation } from "./rule.ts";

/** What is shorter can stand in a text by chance, or be no secret at all: `nonsense` for a token. */
const tellingLength = 16;

/** No text of the server holds a token or a resume secret, whole or in its beginning: a close reason may have been cut. */
export function secretRules(): ServerRule {
  const beginnings = new Set<string>();
  const learn = (secret: string | undefined) => {
    for (const part of secret?.split(".") ?? []) {
      if (part.length >= tellingLength) beginnings.add(part.slice(0, tellingLength));
    }
  };
  const isTold = (text: string) => [...beginnings].some((one) => text.includes(one));
  return {
    sent({ kind }: ClientFrame): void {
      if (kind.case === "refresh") learn(kind.value.token);
      if (kind.case !== "hello") return;
      learn(kind.value.token);
      learn(kind.value.resume?.secret);
    },
    received(frame: ServerFrame): Violation | undefined {
      const { kind } = frame;
      if (kind.case === "welcome") return void learn(kind.value.resumeSecret); // where it belongs
      if (kind.case === "message" || !isTold(toJsonString(ServerFrameSchema, frame))) return undefined;
      return broken("FF-SC-003", `a ${kind.case} frame holds a token or a resume secret`);
    },
    closed(_code: number, reason: string): Violation | undefined {
      return isTold(reason) ? broken("FF-SC-003", "the close reason holds a token or a resume secret") : undefined;
    },
  };
}
