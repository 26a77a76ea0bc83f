import { slotOfTag } from "../hash-slot.ts";
import type { Command, Destination, Reply, ValkeyClient } from "../valkey-client.ts";

/** A node of a {@link FakeCluster}. */
export interface FakeNode {
  readonly id: string;
  run: string;
  epoch: number;
  /** Its third of the slots, or none. */
  third: number | undefined;
  isUp: boolean;
  /** What it sees, if that is not what is the case. */
  view: string | undefined;
  answers: number;
}

/**
 * Three primaries as a client sees them, each with a third of the slots: they tell what they see and mark their answers. Functions other than `mark`
 * answer by `answer`.
 */
export class FakeCluster implements ValkeyClient {
  readonly nodes: FakeNode[] = ["a", "b", "c"].map((id, third) => this.nodeOf(id, third));
  /** Names of the commands, each with the node that it went to. */
  readonly sent: string[] = [];
  /** What a function answers behind the mark. */
  answer: (command: Command) => readonly Reply[] = () => [];
  /** To which node the client takes a slot, if that is not its owner. */
  misrouted = new Map<string, string>();
  /** Whether a command with a key shows the client the owner. */
  redirects = false;
  failing: (node: FakeNode) => Error = () => new Error("timed out");

  nodeOf(id: string, third: number | undefined): FakeNode {
    return { id, run: "1", epoch: 1, third, isUp: true, view: undefined, answers: 0 };
  }

  node(id: string): FakeNode {
    return this.nodes.find((node) => node.id === id) as FakeNode;
  }

  /** Another node has the slots of one, as after a failover. */
  failOver(from: string, to: string): FakeNode {
    const old = this.node(from);
    const elected = { ...this.nodeOf(to, old.third), run: `of ${to}`, epoch: 10 };
    old.third = undefined;
    this.nodes.push(elected);
    return elected;
  }

  /** What `CLUSTER NODES` says at a node that knows everything. */
  describe(by: FakeNode): string {
    return this.nodes
      .map(({ id, third, epoch, isUp }) => {
        const flags = [...(id === by.id ? ["myself"] : []), third === undefined ? "slave" : "master"];
        if (!isUp) flags.push("fail");
        const range = third === undefined ? "" : ` ${rangeOf(third).join("-")}`;
        return `${id} 127.0.0.1:1@2 ${flags.join(",")} - 0 0 ${epoch} connected${range}`;
      })
      .join("\n");
  }

  async send([name, sub]: Command, destination?: Destination): Promise<Reply> {
    const isKeyed = typeof destination === "object" && "slotOf" in destination;
    const node = this.#at(isKeyed ? destination.slotOf : "{0}");
    if (name === "FUNCTION") return "OK";
    this.sent.push(`${node.id} ${name} ${sub}`);
    return Buffer.from(node.view ?? this.describe(node));
  }

  async pipeline(commands: readonly Command[], slotOf: string): Promise<readonly Reply[]> {
    const first = this.#at(slotOf);
    this.sent.push(`${first.id} ${commands.map((command) => command[1]).join(" ")}`);
    return commands.map((command): Reply => {
      const isRedirected = this.redirects && command[2] !== "0";
      if (isRedirected) this.misrouted.clear();
      const node = isRedirected ? this.#at(slotOf) : first;
      const mark = `ok ${node.id}:${node.run}:${++node.answers}`;
      return String(command[1]).endsWith("_mark") ? mark : [mark, ...this.answer(command)];
    });
  }

  close(): void {}

  #at(slotOf: string): FakeNode {
    const tag = slotOf.slice(1, -1);
    const owner = this.nodes.find(({ third }) => third === thirdOf(tag)) as FakeNode;
    const node = this.node(this.misrouted.get(owner.id) ?? owner.id);
    if (!node.isUp) throw this.failing(node);
    return node;
  }
}

function thirdOf(tag: string): number {
  return [0, 1, 2].find((third) => slotOfTag(tag) <= (rangeOf(third)[1] as number)) as number;
}

function rangeOf(third: number): readonly [number, number] {
  return [Math.ceil((third * 16_384) / 3), Math.ceil(((third + 1) * 16_384) / 3) - 1];
}
