import { afterAll, beforeAll, describe } from "vitest";
import { describeLanes } from "../../broker/lanes.contract.ts";
import { describeMembershipStore } from "../../broker/membership-store.contract.ts";
import { describeRegistry } from "../../broker/registry.contract.ts";
import { describeRouteStore } from "../../broker/route-store.contract.ts";
import { describeSessionStore } from "../../broker/session-store.contract.ts";
import { describeSettingsStore } from "../../broker/settings-store.contract.ts";
import { describeStandingStore } from "../../broker/standing-store.contract.ts";
import type { BrokerUnderTest } from "../broker-under-test.ts";
import { openModelBroker } from "./model-broker.ts";

describe("a broker on a model of Valkey", () => {
  for (const [name, options] of [
    ["one Valkey", { shards: 0, replicas: 0 }],
    ["a Valkey with a replica", { shards: 0, replicas: 1 }],
    ["a Valkey cluster, 3 + 3", { shards: 3, replicas: 1 }],
  ] as const) {
    describe(`over ${name}`, () => {
      let under: BrokerUnderTest;
      beforeAll(async () => {
        under = await openModelBroker(options);
      });
      afterAll(() => under?.[Symbol.asyncDispose]());

      describeLanes(() => under);
      describeRegistry(() => under);
      describeRouteStore(() => under);
      describeSessionStore(() => under);
      describeMembershipStore(() => under);
      describeStandingStore(() => under);
      describeSettingsStore(() => under);
    });
  }
});
