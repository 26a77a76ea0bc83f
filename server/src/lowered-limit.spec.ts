import { describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { refusalNames } from "./control/testing/control-fixture.ts";
import { startTestServer } from "./testing/test-server.ts";
import { startStandalone } from "./testing/valkey-processes.ts";

describe.skipIf(requireTool("valkey-server") === undefined)("a limit that is lower than it was", () => {
  it("of memberships refuses more, and nobody who has more already", async () => {
    await using valkey = await startStandalone();
    await using former = await startTestServer({ valkey, nodeId: "former" });
    await using lowered = await startTestServer({ valkey, nodeId: "lowered", limits: { maxMemberships: 1 } });
    const join = (server: typeof former, group: string) => server.control().joinGroup({ playerId: "ann", group });
    await join(former, "chat:1");
    await join(former, "chat:2");
    const ann = await lowered.join("ann");
    const groups = () => lowered.hub().memberships.groupsOf("ann");
    expect(groups()).toEqual(["chat:1", "chat:2"]);
    expect(await refusalNames(join(lowered, "chat:3"))).toContain("LIMIT_EXCEEDED");
    await join(former, "chat:3");
    expect(groups()).toEqual(["chat:1", "chat:2", "chat:3"]);
    await ann.settle();
  });
});
