import { statSync } from "node:fs";
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { CloseCode, ErrorCode, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it, vi } from "vitest";
import { ClusterCounters } from "./cluster-counters.ts";
import { Counters } from "./counters.ts";
import { LinkCounters } from "./link-counters.ts";
import { Metrics, type MetricsOptions } from "./metrics.ts";

vi.mock("node:perf_hooks", async (original) => {
  const real = await original<typeof import("node:perf_hooks")>();
  return { ...real, monitorEventLoopDelay: vi.fn(real.monitorEventLoopDelay) };
});

async function scrape(counters: Counters, times = 1, options: Partial<MetricsOptions> = {}): Promise<string> {
  using metrics = new Metrics({ counters, version: "1.2.3", nodeId: "n1", sharedMs: 0, ...options });
  let text = "";
  for (let i = 0; i < times; i++) text = await metrics.render();
  return text;
}

describe("Metrics", () => {
  it("tells what the counters hold at the scrape", async () => {
    const counters = new Counters();
    counters.connections = 3;
    counters.messagesInLive = 5;
    counters.messagesDropped = 2;
    counters.publishesByOutcome[Outcome.OFFLINE] = 7;
    counters.errorsByCode[ErrorCode.RATE_LIMITED] = 4;
    const lines = (await scrape(counters)).split("\n");
    expect(lines).toContain("fanfare_connections 3");
    expect(lines).toContain('fanfare_messages_received_total{class="live"} 5');
    expect(lines).toContain('fanfare_messages_dropped_total{reason="slow"} 2');
    expect(lines).toContain('fanfare_publishes_total{outcome="offline"} 7');
    expect(lines).toContain('fanfare_errors_total{code="rate_limited"} 4');
    expect(lines).toContain('fanfare_build_info{version="1.2.3",node="n1"} 1');
  });

  it("tells the same again at the next scrape", async () => {
    const counters = new Counters();
    counters.upgrades = 9;
    expect((await scrape(counters, 3)).split("\n")).toContain("fanfare_upgrades_total 9");
  });

  it("counts closes by code, and codes that clients invent together", async () => {
    const counters = new Counters();
    counters.closed(CloseCode.SLOW_CONSUMER);
    counters.closed(1006);
    for (let code = 3000; code < 4000; code++) counters.closed(code);
    expect(counters.closesByCode.size).toBe(3);
    const lines = (await scrape(counters)).split("\n");
    expect(lines).toContain('fanfare_closes_total{code="4100_slow_consumer"} 1');
    expect(lines).toContain('fanfare_closes_total{code="1006"} 1');
    expect(lines).toContain('fanfare_closes_total{code="other"} 1000');
  });

  it("tells the event loop's delay and the process's own numbers", async () => {
    const text = await scrape(new Counters());
    expect(text).toMatch(/^fanfare_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  });

  it("lists no handles, requests, resources or files: with thousands of sockets nobody would be served meanwhile", async () => {
    const handles = vi.spyOn(process as unknown as { _getActiveHandles(): unknown[] }, "_getActiveHandles");
    const resources = vi.spyOn(process, "getActiveResourcesInfo");
    const text = await scrape(new Counters());
    expect([handles.mock.calls.length, resources.mock.calls.length]).toEqual([0, 0]);
    for (const spy of [handles, resources]) spy.mockRestore();
    expect(text).not.toMatch(/^nodejs_active_/m);
    if (statSync("/proc/self/fd", { throwIfNoEntry: false })?.size)
      expect(text).toMatch(/^process_open_fds [1-9]\d*$/m);
  });

  it("observes the process once, however often a node is made anew", async () => {
    await scrape(new Counters());
    const observe = vi.spyOn(PerformanceObserver.prototype, "observe");
    vi.mocked(monitorEventLoopDelay).mockClear();
    for (let i = 0; i < 3; i++) expect(await scrape(new Counters())).toMatch(/^nodejs_version_info\{/m);
    expect(observe).not.toHaveBeenCalled();
    expect(monitorEventLoopDelay).not.toHaveBeenCalled();
    observe.mockRestore();
  });

  it("gives the same text to all who ask within a second, and reads no number for it", async () => {
    let nowMs = 5_000;
    const counters = new Counters();
    const clock = { monotonicMs: () => nowMs };
    using metrics = new Metrics({ counters, version: "1.2.3", nodeId: "n1", clock });
    counters.upgrades = 1;
    const first = metrics.render();
    counters.upgrades = 2;
    nowMs += 999;
    expect(metrics.render()).toBe(first);
    expect(await first).toMatch(/^fanfare_upgrades_total 1$/m);
    nowMs += 1;
    expect(await metrics.render()).toMatch(/^fanfare_upgrades_total 2$/m);
  });

  it("has a place for every counter", async () => {
    const counters = new Counters();
    const fields = Object.keys(counters).filter((name) => typeof counters[name as keyof Counters] === "number");
    for (const [i, name] of fields.entries()) Object.assign(counters, { [name]: 1_000_001 + i });
    const text = await scrape(counters);
    expect(fields.filter((_, i) => !new RegExp(` ${1_000_001 + i}$`, "m").test(text))).toEqual([]);
  });

  it("tells of a cluster where there is one, and has a place for everything that is counted of it", async () => {
    const figures = { nodes: 0, reachable: 0, routes: 0, presenceSections: 0, isolations: 0 };
    const links = new LinkCounters();
    const cluster = { ...new ClusterCounters(), ...figures };
    const counts = {
      ...{ clientsReplaced: 0, clientReplacementsFailed: 0, clientsRerouted: 0 },
      ...{ logClientsReplaced: 0, logClientReplacementsFailed: 0 },
      ...{ subscribersReplaced: 0, subscriberReplacementsFailed: 0, laneProbes: 0, laneProbesLost: 0, laneFailures: 0 },
      ...{ topologyChanges: 0, shardFailures: 0, shardRestarts: 0, lateReplicas: 0 },
      ...{ routeReads: 0, routeReadBatches: 0, routeReadsRefused: 0, lanesDown: 0, shardsFailing: 0 },
    };
    const fields: string[] = [];
    for (const of of [links, cluster, counts]) {
      for (const name of Object.keys(of)) Object.assign(of, { [name]: 1_000_001 + fields.push(name) });
    }
    const text = await scrape(new Counters(), 1, { links, cluster: () => cluster, broker: () => counts });
    expect(fields.filter((_, i) => !new RegExp(` ${1_000_002 + i}$`, "m").test(text))).toEqual([]);
    expect(text).toMatch(/^fanfare_cluster_node_events_total\{event="lost"\} \d+$/m);
    expect(await scrape(new Counters())).not.toMatch(/fanfare_(cluster|link|broker|route)/);
  });
});
