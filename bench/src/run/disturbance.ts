import type { Round } from "./round.ts";

/**
 * Where others used more of the server's core (0 to 1) than this, a round says little, and not evenly: a server that joins writes waits for the
 * core, joins more meanwhile, and looks cheaper than it is.
 */
const maxForeignShare = 0.1;

/** Whether other processes used so much of the server's core that the figures are not to be trusted. */
export function isDisturbed(round: Round): boolean {
  return (round.foreignShare ?? 0) > maxForeignShare;
}

/** Runs up to `tries` rounds until one is accepted and returns it, otherwise the one in which others used the least. */
export async function leastDisturbed(
  tries: number,
  accepted: (round: Round) => boolean,
  run: () => Promise<Round>,
): Promise<Round> {
  let best = await run();
  for (let tried = 1; tried < tries && !accepted(best); tried++) {
    const next = await run();
    if (accepted(next) || (next.foreignShare ?? 0) < (best.foreignShare ?? 0)) best = next;
  }
  return best;
}
