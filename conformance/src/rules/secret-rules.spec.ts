import { create } from "@bufbuild/protobuf";
import { ClientFrameSchema, ErrorCode, type ServerFrame, ServerFrameSchema } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import type { ServerRule } from "./rule.ts";
import { secretRules } from "./secret-rules.ts";

const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQabcdef.c2lnbmF0dXJlIG9mIGl0";
const secret = "a secret of 24 bytes or more";
const newer = "another secret, of a welcome";

describe("tokens and resume secrets in what a server says (FF-SC-003)", () => {
  let rules: ServerRule;
  beforeEach(() => {
    rules = secretRules();
    const value = { token, resume: { sessionId: "s", secret } };
    rules.sent?.(create(ClientFrameSchema, { kind: { case: "hello", value } }));
  });

  it("are found in errors and replies, whole or in their beginning", () => {
    for (const message of [`no ${token}`, `no ${token.slice(21, 45)}…`, `no ${secret}`]) {
      expect(rules.received?.(error(message)), message).toMatchObject({ spec: "FF-SC-003" });
    }
    const refused = { result: { case: "error" as const, value: { code: ErrorCode.UNAUTHENTICATED, message: secret } } };
    const reply = create(ServerFrameSchema, { id: 1, kind: { case: "reply", value: refused } });
    expect(rules.received?.(reply)).toMatchObject({ spec: "FF-SC-003" });
  });

  it("are found in close reasons, also where they were cut", () => {
    expect(rules.closed?.(4004, token.slice(0, 30))).toMatchObject({ spec: "FF-SC-003" });
    expect(rules.closed?.(4004, "the token does not verify")).toBeUndefined();
  });

  it("may stand in a welcome, and from then on nowhere else", () => {
    const welcome = create(ServerFrameSchema, { kind: { case: "welcome", value: { resumeSecret: newer } } });
    expect(rules.received?.(error(newer))).toBeUndefined();
    expect(rules.received?.(welcome)).toBeUndefined();
    expect(rules.received?.(error(newer))).toMatchObject({ spec: "FF-SC-003" });
  });

  it("are not taken for told by what is too short to be one", () => {
    rules.sent?.(create(ClientFrameSchema, { kind: { case: "refresh", value: { token: "nonsense" } } }));
    expect(rules.received?.(error("the token nonsense is none"))).toBeUndefined();
  });
});

function error(message: string): ServerFrame {
  return create(ServerFrameSchema, { kind: { case: "error", value: { code: ErrorCode.UNAUTHENTICATED, message } } });
}
