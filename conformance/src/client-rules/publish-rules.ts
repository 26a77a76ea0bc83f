import { equals } from "@bufbuild/protobuf";
import { type ClientFrame, type Publish, PublishSchema, type ServerFrame } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientHistory } from "./client-history.ts";
import type { ClientFacts, ClientRule } from "./client-rule.ts";

/** Publishes keep their identity: seq grows, and repeats are unchanged, in order, and before anything newer. */
export function clientPublishRules(facts: ClientFacts): ClientRule {
  const { history } = facts;
  const byId = new Map<number, bigint>();
  return {
    sent({ id, kind }: ServerFrame): void {
      const seq = byId.get(id);
      if (kind.case !== "reply" || seq === undefined) return;
      byId.delete(id);
      if (history.unanswered.get(seq)?.on === facts) history.unanswered.delete(seq);
    },
    received({ id, kind }: ClientFrame): Violation | undefined {
      if (kind.case !== "publish") return undefined;
      const publish = kind.value;
      const violation = wrongSeq(publish, id, history) ?? wrongTurn(publish, facts);
      history.published.set(publish.seq, publish);
      if (publish.seq > history.highestSeq) history.highestSeq = publish.seq;
      if (id === 0 || publish.volatile) return violation;
      byId.set(id, publish.seq);
      history.unanswered.set(publish.seq, { publish, on: facts });
      return violation;
    },
  };
}

function wrongSeq(publish: Publish, id: number, { published, highestSeq }: ClientHistory): Violation | undefined {
  const { seq } = publish;
  const earlier = published.get(seq);
  if (earlier === undefined) {
    return seq <= highestSeq ? broken("FF-ID-001", `seq ${seq} came after ${highestSeq}`) : undefined;
  }
  if (!equals(PublishSchema, earlier, publish)) return broken("FF-ID-004", `the repeat of seq ${seq} is changed`);
  if (publish.volatile || id === 0) return broken("FF-ID-006", `seq ${seq} was repeated, and must not be`);
  return undefined;
}

function wrongTurn({ seq, volatile }: Publish, facts: ClientFacts): Violation | undefined {
  if (volatile) return undefined;
  for (const one of facts.history.unanswered.values()) {
    if (one.on === facts) continue;
    if (!one.on.ended) return broken("FF-GO-009", `seq ${one.publish.seq} has no answer on the former connection yet`);
    if (one.publish.seq < seq) return broken("FF-ID-003", `seq ${seq} came before the repeat of ${one.publish.seq}`);
  }
  return undefined;
}
