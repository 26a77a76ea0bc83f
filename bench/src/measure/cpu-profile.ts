import type { Profiler } from "node:inspector";

/** One function's share of the profiled time, its callees not counted. */
export interface SelfTime {
  /** Name and place, for instance `flush server/src/gateway/send-queue.ts:41`. */
  readonly where: string;
  /** 0 to 1, of the time that was neither idle nor the profiler's own. */
  readonly share: number;
}

/** The functions in which a CPU profile spent most of its time, the first first. `root` is cut off the files' addresses. */
export function topSelfTimes(profile: Profiler.Profile, root: string, count: number): SelfTime[] {
  const byId = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const selfUs = new Map<string, number>();
  let busyUs = 0;
  profile.samples?.forEach((id, index) => {
    const frame = byId.get(id);
    if (frame === undefined || isNoWork(frame)) return;
    const us = profile.timeDeltas?.[index] ?? 0;
    const where = describeFrame(frame, root);
    selfUs.set(where, (selfUs.get(where) ?? 0) + us);
    busyUs += us;
  });
  return [...selfUs]
    .map(([where, us]) => ({ where, share: us / busyUs }))
    .sort((a, b) => b.share - a.share)
    .slice(0, count);
}

function isNoWork({ functionName, url }: CallFrame): boolean {
  return functionName === "(idle)" || url === "node:inspector";
}

type CallFrame = Profiler.ProfileNode["callFrame"];

function describeFrame({ functionName, url, lineNumber }: CallFrame, root: string): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url.startsWith(root) ? url.slice(root.length) : url;
  return `${name} ${file}:${lineNumber + 1}`;
}
