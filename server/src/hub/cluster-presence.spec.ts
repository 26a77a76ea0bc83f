import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { describe, expect, it } from "vitest";
import type { AppChannel } from "../broker/route-store.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import type { LinkRecord } from "../router/links/link-port.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { groupKey } from "../wire/channel-key.ts";
import type { ChannelTable } from "./channel-table.ts";
import { ClusterPresence } from "./cluster-presence.ts";

const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe("the presence of channels between nodes", () => {
  it("is told and asked for again where a route was lost, which another node may not have seen this one on", async () => {
    const channels = [
      { key: groupKey("watched"), presence: { isWatched: true } },
      { key: groupKey("here"), presence: { isWatched: false } },
      { key: groupKey("without"), presence: undefined },
      { key: groupKey("kept"), presence: { isWatched: true } },
    ];
    const told: string[] = [];
    const send = (peer: bigint, { bytes }: LinkRecord) => {
      const { kind } = fromBinary(RecordSchema, bytes);
      if (kind.case !== "presenceWatch") throw new Error(`${kind.case}`);
      const { channelKey, announcing, watching } = kind.value;
      told.push(`${channelKey} to ${peer}${announcing ? ", announced" : ""}${watching ? ", watched" : ""}`);
    };
    const read = async ({ key }: AppChannel) => (key === groupKey("here") ? [1n, 2n] : [1n, 2n, 3n]);
    const cluster = {
      ...{ onDeath: () => () => {}, peers: [2n, 3n], links: { send }, broker: { routes: { read } } },
      othersOf: (nodes: readonly bigint[]) => nodes.filter((node) => node !== 1n),
    } as unknown as Cluster;
    const presence = new ClusterPresence({ appId: "game", cluster, clock: new VirtualClock(), resumeWindowMs: 1000 });
    const get = (key: string) => channels.find((one) => one.key === key);
    presence.channels = { all: () => channels, get, routed: async () => {} } as unknown as ChannelTable;
    presence.lookAgain((key) => key !== groupKey("kept"));
    await settled();
    expect(told.sort()).toEqual([
      "g:here to 2, announced",
      "g:watched to 2, announced",
      "g:watched to 2, watched",
      "g:watched to 3, announced",
      "g:watched to 3, watched",
    ]);
    presence.close();
  });
});
