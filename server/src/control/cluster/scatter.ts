import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import { callerOf, contextOf } from "../caller-context.ts";

type Service = ServiceImpl<typeof ControlService>;

/** Calls that every node answers for what it has itself, and whose answers are put together. */
export type ScatteredName =
  | "listSessions"
  | "listGroups"
  | "disconnect"
  | "ban"
  | "unban"
  | "revokeTokens"
  | "erasePlayer"
  | "getPresence"
  | "callPlayer"
  | "drain"
  | "listNodes";

/** The calls as a node carries them out for itself alone. */
export type LocalCalls = Pick<Service, ScatteredName>;

type Request<Name extends ScatteredName> = Parameters<Service[Name]>[0];
type Response<Name extends ScatteredName> = MessageInitShape<(typeof ControlService.method)[Name]["output"]>;

/** How long another node may take, in milliseconds, where the call does not say. */
const deadlineMs = 5_000;

/** Carries out calls of the control API on other nodes. */
export class Scatter {
  readonly #cluster: Cluster;
  readonly #local: LocalCalls;

  constructor(cluster: Cluster, local: LocalCalls) {
    this.#cluster = cluster;
    this.#local = local;
    cluster.answer("controlCall", async (_from, { appId, question }) => {
      if (question.case !== "controlCall") throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "there is no call");
      const { method, request, keyId } = question.value;
      const value = await this.#answer(method, request, { appId, keyId, scopes: new Set() });
      return { case: "controlResponse", value };
    });
  }

  /** Here alone. */
  async here<Name extends ScatteredName>(
    name: Name,
    request: Request<Name>,
    context: HandlerContext,
  ): Promise<Response<Name>> {
    const call = this.#local[name] as (request: Request<Name>, context: HandlerContext) => unknown;
    return (await call(request, context)) as Response<Name>;
  }

  /** On another node alone. @throws FanfareError what it threw, UNAVAILABLE, DEADLINE_EXCEEDED */
  async at<Name extends ScatteredName>(
    peer: bigint,
    name: Name,
    request: Request<Name>,
    context: HandlerContext,
    withinMs = deadlineMs,
  ): Promise<Response<Name>> {
    const { input, output } = methodOf(name);
    const { appId, keyId } = callerOf(context);
    // Unknown fields, of which a caller can send megabytes, say nothing to who answers: a newer node does what this one understood.
    const bytes = toBinary(input, create(input, request as never), { writeUnknownFields: false });
    const question = { case: "controlCall" as const, value: { method: name, request: bytes, keyId } };
    const answer = await this.#cluster.ask(peer, question, { appId, deadlineMs: withinMs });
    if (answer.case !== "controlResponse")
      throw new FanfareError(ErrorCode.INTERNAL, "the other node said something else");
    return fromBinary(output, answer.value) as unknown as Response<Name>;
  }

  /**
   * Everywhere.
   * @returns what each node said, this one first
   * @throws FanfareError UNAVAILABLE if one did not answer: what the others did is done, and the call can be repeated
   */
  async everywhere<Name extends ScatteredName>(
    name: Name,
    request: Request<Name>,
    context: HandlerContext,
  ): Promise<Response<Name>[]> {
    this.#cluster.requireMember();
    const here = this.here(name, request, context);
    const others = this.#cluster.peers.map((peer) => this.at(peer, name, request, context));
    const [own, ...rest] = await Promise.allSettled([here, ...others]);
    if (own?.status === "rejected") throw own.reason;
    const silent = rest.filter(({ status }) => status === "rejected");
    if (silent.length > 0) {
      const message = `${silent.length} of ${others.length + 1} nodes did not answer; the call can be repeated`;
      throw new FanfareError(ErrorCode.UNAVAILABLE, message, { cause: silent[0] });
    }
    this.#cluster.requireMember(); // there may be others than it knew
    return [own, ...rest].flatMap((one) => (one?.status === "fulfilled" ? [one.value] : []));
  }

  async #answer(
    method: string,
    request: Uint8Array,
    caller: { appId: string; keyId: string; scopes: Set<number> },
  ): Promise<Uint8Array> {
    if (!(method in this.#local)) throw new FanfareError(ErrorCode.UNIMPLEMENTED, `${method} is not known here`);
    const name = method as ScatteredName;
    const { input, output } = methodOf(name);
    const response = await this.here(name, fromBinary(input, request) as never, contextOf(caller));
    return toBinary(output, create(output, response as never));
  }
}

function methodOf(name: ScatteredName): { input: DescMessage; output: DescMessage } {
  return ControlService.method[name];
}
