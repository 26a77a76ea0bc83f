import { expect, it } from "vitest";
import { payloadFields, payloadText } from "./payload-text.ts";

it("shows text and JSON as they are, behind the type if there is one", () => {
  expect(payloadText({ type: "", text: "hello" })).toBe("hello");
  expect(payloadText({ type: "chat", json: '{"a":1}' })).toBe('chat {"a":1}');
});

it("shows the size and the beginning of bytes", () => {
  expect(payloadText({ type: "m.v1.Move", binary: Uint8Array.of(1, 255) })).toBe("m.v1.Move (2 bytes) 01ff");
  expect(payloadText({ type: "", binary: new Uint8Array(40) })).toBe(`(40 bytes) ${"00".repeat(32)}…`);
});

it("lets no payload write to the terminal what it likes", () => {
  expect(payloadText({ type: "", text: "\u001b]0;title\u0007\nnext" })).toBe("\\u001b]0;title\\u0007\\nnext");
});

it("gives machines the value of JSON, and bytes in base64", () => {
  expect(payloadFields({ type: "", text: "hello" })).toEqual({ text: "hello" });
  expect(payloadFields({ type: "t", json: '{"a":1}' })).toEqual({ type: "t", json: { a: 1 } });
  expect(payloadFields({ type: "", json: "{" })).toEqual({ invalidJson: "{" });
  expect(payloadFields({ type: "", binary: Uint8Array.of(1, 2, 3) })).toEqual({ binary: "AQID" });
});
