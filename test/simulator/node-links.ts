import { LinkCounters } from "../../server/src/observe/link-counters.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { Cluster, NodeLinks } from "../../server/src/router/cluster/cluster.ts";
import {
  type LinkOptions,
  type ResolvedLinkOptions,
  resolveLinkOptions,
} from "../../server/src/router/links/link-options.ts";
import type { LinkReceiver } from "../../server/src/router/links/link-port.ts";
import { Links } from "../../server/src/router/links/links.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { LinkBounds, Plan } from "./plan.ts";

/** Tight ones are met by a few messages of a run. */
const options: Readonly<Record<LinkBounds, LinkOptions>> = {
  roomy: {},
  tight: {
    ...{ maxPeers: 12, maxInboundBytes: 196_608, maxPeerInboundBytes: 65_536 },
    ...{ maxOverdraftBytes: 16_384, sharedBytes: 1_024 },
    ...{ maxLiveBytes: 65_536, maxVolatileBytes: 32_768, maxDurableBytes: 32_768, maxControlBytes: 131_072 },
  },
};

/** Bytes for a subscriber that a Valkey keeps which is configured as links count on: a third more than may be on its way to it. */
export function outputBufferFor(bounds: LinkBounds): number {
  return (resolveLinkOptions(options[bounds]).maxInboundBytes * 4) / 3;
}

/** Makes the links of a node's incarnations, with the bounds of a run, and counts for the last of them. */
export class SimulatedLinks {
  readonly bounds: ResolvedLinkOptions;
  readonly #process: SimulatedProcess;
  readonly #log: Log;
  #counters = new LinkCounters();

  constructor(
    process: SimulatedProcess,
    log: Log,
    {
      linkBounds,
      sharedPeers,
      maxRevision,
    }: Pick<Plan, "linkBounds" | "sharedPeers"> & { readonly maxRevision: number },
  ) {
    this.#process = process;
    this.#log = log;
    this.bounds = resolveLinkOptions({ ...options[linkBounds], sharedPeers, maxRevision });
  }

  get counters(): LinkCounters {
    return this.#counters;
  }

  /** @param isBounded false: by default, whatever the run says */
  open(receiver: LinkReceiver, isBounded = true): NodeLinks {
    const { incarnation, broker } = receiver as Cluster;
    const { clock, random } = this.#process;
    this.#counters = new LinkCounters();
    return new Links({
      ...{ self: incarnation, lanes: broker.lanes, receiver, clock, log: this.#log },
      ...{
        random: () => random.next() / 2 ** 32,
        counters: this.#counters,
        options: isBounded ? this.bounds : { maxRevision: this.bounds.maxRevision },
      },
    });
  }
}
