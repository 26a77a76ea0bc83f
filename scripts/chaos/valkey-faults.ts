import { setTimeout as pause } from "node:timers/promises";
import {
  failOver,
  moveSlot,
  until,
  untilSettled,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../server/src/testing/valkey-processes.ts";
import type { Act, Bounds, Scenario } from "./scenario.ts";

/** The primaries, as the cluster sees them. */
async function primaries(valkey: ValkeyServers): Promise<ValkeyProcess[]> {
  const found = new Set<ValkeyProcess>();
  for (let i = 0; i < 64; i++) found.add(await valkey.primaryOf(`{${i}}`));
  return [...found];
}

async function eachPrimary(
  act: Act,
  settleMs: number,
  fault: (primary: ValkeyProcess, i: number) => Promise<void>,
): Promise<undefined> {
  const all = await primaries(act.valkey);
  for (const [i, primary] of (act.isShort ? all.slice(0, 1) : all).entries()) {
    await act.faults.during(() => fault(primary, i + 1), { settleMs });
    await untilSettled(act.valkey);
    await pause(settleMs);
  }
}

/** A primary and a replica, in that order: the replica of another, which the first restart has not touched. */
async function oneOfEachRole(valkey: ValkeyServers): Promise<ValkeyProcess[]> {
  const [first, second] = (await primaries(valkey)) as [ValkeyProcess, ValkeyProcess];
  const [replica] = (await valkey.replicasOf(second)) as [ValkeyProcess];
  return [first, replica];
}

/** Hash tags of what is no channel: a lane that is subscribed, a part of the registry, a session, and the settings. @throws if one is not there */
async function tagsInUse(valkey: ValkeyServers): Promise<string[]> {
  const names: string[] = [];
  for (const primary of await primaries(valkey)) {
    names.push(...(await primary.command("PUBSUB", "SHARDCHANNELS", "*:inbox:*")).split("\n"));
    names.push(...(await primary.command("KEYS", "*:registry")).split("\n"));
    names.push(...(await primary.command("KEYS", "*:{game/s:*}:session")).split("\n"));
  }
  const tagOf = (what: string, pattern: RegExp): string => {
    const tag = names.map((name) => pattern.exec(name)?.[1]).find((one) => one !== undefined);
    if (tag === undefined) throw new Error(`Valkey has no ${what}`);
    return tag;
  };
  const found = [
    tagOf("lane", /:inbox:\{(.+)\}:/),
    tagOf("registry", /:\{(.+)\}:registry$/),
    tagOf("session", /:\{(game\/s:.+)\}:session$/),
  ];
  return [...found, "settings"];
}

/** Everybody keeps their connection, and newcomers get through. */
const staysConnected = { longestOutageMs: 0, failedConnects: 0 };
/** The bounds of a fault that nobody may notice. */
const unnoticed: Bounds = {
  ...staysConnected,
  liveIsWhole: true,
  longestStallMs: 500,
  longestAnswerAfterMs: 1_000,
  longestArrivalAfterMs: 1_500,
};

/** Notes when the replica of a primary has taken over. */
async function noteElection(
  { faults, say }: Act,
  former: ValkeyProcess,
  replica: ValkeyProcess | undefined,
): Promise<void> {
  const fromMs = performance.now();
  await until(async () => (await replica?.command("ROLE"))?.startsWith("master") === true);
  faults.mended();
  say(`port ${replica?.port} has taken over from ${former.port} after ${Math.round(performance.now() - fromMs)} ms`);
}

/** How long one Valkey without a replica is away, in milliseconds: less than links hold what they could not send. */
const awayMs = 1_000;

/** What is done to Valkey. */
export const valkeyFaults = {
  "kill-primary": {
    title: "kill -9 of a primary of Valkey, each shard in turn",
    bounds: unnoticed,
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`killing primary ${i}, port ${primary.port}`);
        const [replica] = await act.valkey.replicasOf(primary);
        await primary.kill();
        await Promise.all([noteElection(act, primary, replica), pause(8_000)]);
        await primary.restart();
      }),
  },
  failover: {
    title: "planned failover of each shard in turn",
    bounds: unnoticed,
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`failing over shard ${i}, from port ${primary.port}`);
        await failOver(act.valkey, primary);
        await pause(3_000);
      }),
  },
  "rolling-upgrade": {
    title: "restart of all six Valkey processes in turn, primaries after a planned failover",
    bounds: unnoticed,
    async run({ valkey, say, isShort, faults }) {
      for (const process of isShort ? await oneOfEachRole(valkey) : valkey.processes) {
        await faults.during(async () => {
          if ((await primaries(valkey)).includes(process)) {
            say(`port ${process.port} is a primary: its replica takes over`);
            await failOver(valkey, process);
            await pause(2_000);
          }
          say(`restarting port ${process.port}`);
          await process.kill();
          await process.restart();
          await untilSettled(valkey);
        });
        await pause(1_500);
      }
      return undefined;
    },
  },
  "migrate-slots": {
    title:
      "slots with routes, logs, a lane, a part of the registry, a session and the settings move to another shard under load",
    bounds: unnoticed,
    async run({ valkey, say, isShort, faults }) {
      const channels = ["game/g:live:0", "game/g:log:0", "game/g:live:1", "game/g:log:1", "game/b", "mail/p:reader-0"];
      const tags = [...(await tagsInUse(valkey)), ...(isShort ? channels.slice(0, 2) : channels)];
      for (const tag of tags) {
        const from = await valkey.primaryOf(`{${tag}}`);
        const to = (await primaries(valkey)).find((one) => one !== from);
        if (to === undefined) throw new Error("there is one primary only");
        say(`moving the slot of ${tag} from port ${from.port} to ${to.port}`);
        await faults.during(() => moveSlot(valkey, `{${tag}}`, from, to), { settleMs: 1_000 });
        await pause(1_000);
      }
      return undefined;
    },
  },
  "freeze-primary": {
    title: "a primary of Valkey stands still for 5 s (SIGSTOP) and wakes up",
    bounds: { ...staysConnected, liveIsWhole: false, longestAnswerAfterMs: 4_000, longestArrivalAfterMs: 5_000 },
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`freezing primary ${i}, port ${primary.port}`);
        const [replica] = await act.valkey.replicasOf(primary);
        primary.pause();
        await Promise.all([noteElection(act, primary, replica), pause(5_000)]);
        primary.resume();
        await pause(4_000);
      }),
  },
  "restart-standalone": {
    title: "the only Valkey, without a replica, is killed (kill -9) and started again, twice",
    on: "standalone",
    bounds: { ...unnoticed, longestStallMs: awayMs + 2_000 },
    async run({ valkey, say, isShort, faults }) {
      const [process] = valkey.processes as [ValkeyProcess];
      for (let i = 0; i < (isShort ? 1 : 2); i++) {
        await faults.during(
          async () => {
            const fromMs = performance.now();
            await process.kill();
            await pause(awayMs);
            await process.restart();
            faults.mended();
            say(`Valkey was away for ${Math.round(performance.now() - fromMs)} ms`);
          },
          { settleMs: 2_000 },
        );
        await pause(4_000);
      }
      return undefined;
    },
  },
} satisfies Record<string, Scenario>;
