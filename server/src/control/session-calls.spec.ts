import { ErrorCode, type ServerFrame } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ControlFixture, refusalNames, text } from "./testing/control-fixture.ts";

let fixture: ControlFixture;
beforeAll(async () => {
  fixture = await ControlFixture.start();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const isCall = ({ kind }: ServerFrame) => kind.case === "rpc";
const rpc = { method: "ready", payload: text("map 7") };

describe("CallPlayer", () => {
  it("asks the session that was connected last, and gives its answer", async () => {
    await fixture.player("ann");
    const newest = await fixture.player("ann");
    await fixture.player("ann", { features: ["resume"] }); // claims no server_rpc
    const call = fixture.client().callPlayer({ playerId: "ann", rpc });
    const { id, kind } = await newest.next(isCall);
    expect(id).not.toBe(0);
    expect(kind.value).toMatchObject({ method: "ready", payload: { data: { value: "map 7" } }, deadlineMs: 5000 });
    newest.send({ id, kind: { case: "rpcResult", value: { result: { case: "payload", value: text("yes") } } } });
    expect(await call).toMatchObject({
      sessionId: newest.welcome.sessionId,
      result: { result: { case: "payload", value: { data: { value: "yes" } } } },
    });
  });

  it("asks the session that is named, and passes on its error", async () => {
    const named = await fixture.player("bob");
    const other = await fixture.player("bob");
    const call = fixture.client().callPlayer({ playerId: "bob", sessionId: named.welcome.sessionId, rpc });
    const { id } = await named.next(isCall);
    const error = { code: ErrorCode.UNKNOWN_METHOD, message: "what?" };
    named.send({ id, kind: { case: "rpcResult", value: { result: { case: "error", value: error } } } });
    expect((await call).result?.result).toMatchObject({ case: "error", value: error });
    expect(other.kinds).not.toContain("rpc");
  });

  it("says why nobody could be asked", async () => {
    const client = fixture.client();
    const silent = await fixture.player("cat", { features: [] });
    const dog = await fixture.player("dog");
    const ask = (playerId: string, sessionId = "") => refusalNames(client.callPlayer({ playerId, sessionId, rpc }));
    expect(await ask("nobody")).toBe("Unavailable PLAYER_OFFLINE");
    expect(await ask("cat")).toBe("Unavailable PLAYER_OFFLINE");
    expect(await ask("cat", silent.welcome.sessionId)).toBe("Unimplemented UNIMPLEMENTED");
    expect(await ask("cat", dog.welcome.sessionId)).toBe("NotFound NOT_FOUND session_id");
    expect(await refusalNames(client.callPlayer({ playerId: "dog" }))).toBe("InvalidArgument INVALID_ARGUMENT rpc");
    const large = { method: "m", payload: text("x".repeat(65_537)) };
    expect(await refusalNames(client.callPlayer({ playerId: "dog", rpc: large }))).toBe(
      "ResourceExhausted TOO_LARGE rpc.payload",
    );
  });

  it("says that a detached session is offline", async () => {
    const player = await fixture.player("fay");
    const events = fixture.client().watchEvents({ playerId: "fay" })[Symbol.asyncIterator]();
    await events.next();
    player.cut();
    await events.next();
    const call = fixture.client().callPlayer({ playerId: "fay", sessionId: player.welcome.sessionId, rpc });
    expect(await refusalNames(call)).toBe("Unavailable PLAYER_OFFLINE");
    await events.return?.();
  });

  it("ends with the deadline, or when the connection that was asked ends", async () => {
    const slow = await fixture.player("gus");
    const client = fixture.client();
    const late = await client.callPlayer({ playerId: "gus", rpc: { method: "m", deadlineMs: 1 } });
    expect(late.result?.result).toMatchObject({ case: "error", value: { code: ErrorCode.DEADLINE_EXCEEDED } });
    const lost = client.callPlayer({ playerId: "gus", rpc });
    await slow.next(isCall);
    await slow.next(isCall);
    slow.cut();
    expect((await lost).result?.result).toMatchObject({ value: { code: ErrorCode.DEADLINE_EXCEEDED } });
  });
});
