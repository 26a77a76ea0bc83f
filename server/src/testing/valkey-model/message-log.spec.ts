import { describe } from "vitest";
import { describeLogHistories } from "../../log/log-histories.contract.ts";
import { describeMessageLog } from "../../log/message-log.contract.ts";
import { openModelLog } from "./model-log.ts";

const one = { shards: 0, replicas: 0 };
const replicated = { shards: 0, replicas: 1 };
const cluster = { shards: 3, replicas: 1 };

/** Random histories on each. */
const histories = 300;

describe("on a model of Valkey", () => {
  describeMessageLog("one Valkey", () => openModelLog(one));
  describeMessageLog("a Valkey with a replica", () => openModelLog(replicated));
  describeMessageLog("a Valkey cluster, 3 + 3", () => openModelLog(cluster));
  describeLogHistories("one Valkey", () => openModelLog(one), histories, false);
  describeLogHistories("a Valkey cluster, 3 + 3", () => openModelLog(cluster), histories, false);
});
