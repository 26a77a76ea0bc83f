import { create } from "@bufbuild/protobuf";
import { NodeSchema } from "@fanfare/proto/control/v1";
import { ErrorCode, FanfareError } from "@fanfare/sdk-node";
import type { ControlClient } from "@fanfare/sdk-node/control";
import { describe, expect, it } from "vitest";
import { type NodeLeft, NodeLook } from "./node-look.ts";
import { toCliError } from "./to-cli-error.ts";

const url = "http://127.0.0.1:8080";
const box = create(NodeSchema, { nodeId: "box", incarnation: 1n, connections: 1 });
const boxAgain = create(NodeSchema, { nodeId: "box", incarnation: 3n });
const box2 = create(NodeSchema, { nodeId: "box2", incarnation: 2n });

const refused = new FanfareError(ErrorCode.UNAVAILABLE, "", { cause: new Error("connect ECONNREFUSED") });
/** As a balancer answers without a node behind it. */
const badGateway = new FanfareError(ErrorCode.UNAVAILABLE, "HTTP 502", {
  cause: Object.assign(new Error("[unavailable] HTTP 502"), { name: "ConnectError", code: 14 }),
});

/** One answer: the nodes, and the one that answers; or an error. The last one is repeated. */
type Answer = readonly [nodes: readonly (typeof box)[], by?: bigint] | Error;

function looking(...answers: Answer[]): NodeLook {
  const left = [...answers];
  const listNodes: ControlClient["listNodes"] = async (_, options) => {
    const answer = (left.length > 1 ? left.shift() : left[0]) as Answer;
    if (answer instanceof Error) throw answer;
    const [nodes, by] = answer;
    options?.onHeader?.(new Headers(by === undefined ? {} : { "fanfare-incarnation": String(by) }));
    return { $typeName: "fanfare.control.v1.ListNodesResponse", nodes: [...nodes] };
  };
  const client = { listNodes } as Partial<ControlClient> as ControlClient;
  const failure = (error: unknown) => toCliError(url, error);
  return new NodeLook({ url, client, failure }, { everyMs: 1, patienceMs: 50 });
}

async function looks(look: NodeLook): Promise<NodeLeft[]> {
  await look.list();
  const seen: NodeLeft[] = [];
  for await (const left of look.untilGone("box")) seen.push(left);
  return seen;
}

describe("NodeLook", () => {
  it("sees a node to its end from another one", async () => {
    expect(await looks(looking([[box, box2], 2n], [[box, box2], 2n], [[box2], 2n]))).toMatchObject([
      { connections: 1 },
    ]);
  });

  it("does not wait for the next run of it", async () => {
    expect(await looks(looking([[box, box2], 2n], [[boxAgain, box2], 2n]))).toEqual([]);
  });

  it("takes the end of answers for its end where it was the one that was asked", async () => {
    expect(await looks(looking([[box, box2], 1n], refused))).toEqual([]);
    expect(await looks(looking([[box]], refused))).toEqual([]); // a server that does not say who it is
  });

  it.each<[string, Answer[]]>([
    ["another node was asked, and ends", [[[box, box2], 2n], refused]],
    ["it was asked by way of something that asks others as well", [[[box, box2], 1n], [[box, box2], 2n], refused]],
    ["something in front of it answers that it cannot reach anybody", [[[box], 1n], badGateway]],
    ["servers do not say who they are, and there are several", [[[box, box2]], refused]],
  ])("does not say that it is gone where %s", async (_, answers) => {
    await expect(looks(looking(...answers))).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/^nobody can tell whether box is gone: /),
    });
  });

  it("goes on when somebody answers again", async () => {
    const answers: Answer[] = [
      [[box, box2], 2n],
      refused,
      badGateway,
      refused,
      refused,
      [[box, box2], 2n],
      [[box2], 2n],
    ];
    expect(await looks(looking(...answers))).toMatchObject([{ connections: 1 }]);
  });

  it("fails at once with what waiting does not change", async () => {
    const forbidden = new FanfareError(ErrorCode.PERMISSION_DENIED, "the key may not do this");
    await expect(looks(looking([[box], 1n], forbidden))).rejects.toMatchObject({ exitCode: 4 });
  });
});
