import { describe, expect, it } from "vitest";
import { isConnectionFailure, isFunctionMissing, isMisrouted, isNotCarriedOut } from "./reply-errors.ts";

/** As GLIDE 2.5 words them. */
const signalled = (text: string) => new Error(`An error was signalled by the server: - ${text}`);

describe("errors of Valkey", () => {
  it("that pass are told from those that stay", () => {
    for (const reply of [
      signalled("TryAgain: Multiple keys request during rehashing of slot"),
      signalled("Moved: 1195 127.0.0.1:42465; ExtensionError"),
      signalled("ResponseError: Function not found"),
      new Error("OOM: command not allowed when used memory > 'maxmemory'."),
      signalled("ClusterDown: The cluster is down"),
      signalled("BusyLoadingError: is loading the dataset in memory"),
      signalled("ReadOnly: You can't write against a read only replica."),
      new Error("Reached maximum inflight requests"),
    ]) {
      expect(isNotCarriedOut(reply), reply.message).toBe(true);
      expect(isConnectionFailure(reply), reply.message).toBe(false);
    }
    const stays = signalled("ResponseError: ACL failure in script: User default has no permissions");
    expect([isNotCarriedOut(stays), isConnectionFailure(stays)]).toEqual([false, false]);
  });

  it("that come from the connection leave open what became of the command", () => {
    for (const text of ["timed out", "Broken pipe", "Connection refused", "Unable to close requests"]) {
      expect([isConnectionFailure(new Error(text)), isNotCarriedOut(new Error(text))]).toEqual([true, false]);
    }
  });

  it("say that a client has lost the primary", () => {
    const lost = [
      "Moved: 15495 127.0.0.1:45317; ExtensionError",
      "ReadOnly: You can't write against a read only replica.",
    ];
    for (const text of lost) expect(isMisrouted(signalled(text))).toBe(true);
    for (const error of [signalled("TryAgain: x"), new Error("timed out")]) expect(isMisrouted(error)).toBe(false);
  });

  it("name a missing function", () => {
    expect(isFunctionMissing(signalled("ResponseError: Function not found"))).toBe(true);
    expect(isFunctionMissing(new Error("Function not found"))).toBe(false);
  });
});
