import type { BackendCall, GameBackend } from "../game-backend.ts";
import type { NodePlace } from "../node-place.ts";
import { memberGroups, setNamespace } from "../plan.ts";
import type { SimulatedPlayer } from "../simulated-player.ts";
import type { Losses } from "./guarantees.ts";

/** How far the clocks of two nodes may be apart, in milliseconds, and how long a welcome may be on its way. */
const clocksMs = 1_000;

/** Holds a run against what its backend was told, once everybody is back. @returns what is wrong, in sentences */
export function checkBackend(
  { calls }: GameBackend,
  everyPlayer: readonly SimulatedPlayer[],
  { changesAreLost }: Losses,
): string[] {
  return calls.flatMap((call) => {
    if (call.step.do === "call") return checkCalled(call, everyPlayer);
    if (call.endedMs === undefined || call.error !== undefined) return [];
    if (changesAreLost) return [];
    if (call.step.do === "kick") return checkEnded(call);
    return call.step.do === "ban" ? [...checkEnded(call), ...checkBanned(call, calls, everyPlayer)] : [];
  });
}

/** No session is left that the player had when the call began. */
function checkEnded({ name, playerId, step, sessions }: BackendCall): string[] {
  return [...sessions]
    .filter(([player, count]) => count > 0 && !player.isClosed && player.sessions === count)
    .map(([player]) => `${player.name} goes on with a session that ${name} has ended (${step.do} ${playerId})`);
}

/** Nobody came in meanwhile; but a later ban takes the place of an earlier one, also if it ends sooner. */
function checkBanned(call: BackendCall, calls: readonly BackendCall[], all: readonly SimulatedPlayer[]): string[] {
  const { name, playerId, beganMs, endedMs = Number.POSITIVE_INFINITY } = call;
  const ends = calls
    .filter((other) => other.playerId === playerId && (other.endedMs ?? Number.POSITIVE_INFINITY) >= beganMs)
    .flatMap(({ step, ...other }) =>
      step.do === "ban" ? other.beganMs + Math.ceil(step.forMs / 1000) * 1000 - clocksMs : [],
    );
  return all
    .filter((player) => player.playerId === playerId && !player.isClosed)
    .filter(({ openedMs }) => openedMs > endedMs && openedMs < Math.min(...ends))
    .map((player) => `${player.name} came in while ${name} had banned ${playerId}`);
}

/** A client is called once at most, and it was if the answer says so. */
function checkCalled(
  { name, playerId, answer, endedMs, error }: BackendCall,
  all: readonly SimulatedPlayer[],
): string[] {
  const times = all
    .filter((player) => player.playerId === playerId)
    .reduce((sum, player) => sum + player.timesCalled(name), 0);
  if (times > 1) return [`${playerId} is called ${times} times by ${name}`];
  const isAnswered = endedMs !== undefined && error === undefined;
  if (isAnswered && (times !== 1 || answer !== name))
    return [`${name} is answered with ${answer}, after ${times} calls`];
  return [];
}

/** What a player's groups are, against what its backend was told, and against one another. */
export function membershipFaults(
  backend: GameBackend,
  players: readonly SimulatedPlayer[],
  { changesAreLost }: Losses,
): string[] {
  return players.flatMap((player) =>
    memberGroups.flatMap((group) => {
      const isMember = player.memberOf.includes(group);
      if (changesAreLost || backend.mayBe(isMember, player.playerId, group)) return [];
      return [`${player.name} is ${isMember ? "" : "not "}in ${group}, against what the backend was told`];
    }),
  );
}

/** What rules nodes go by, against what the backend was told that it has set. */
export function settingsFaults(
  backend: GameBackend,
  places: readonly NodePlace[],
  { changesAreLost }: Losses,
): string[] {
  const rules = places.map((place) => place.node?.rewindOf(setNamespace));
  const isMixed = new Set(rules).size > 1;
  if (!isMixed && (changesAreLost || backend.mayHaveRules(rules[0]))) return [];
  return [
    `nodes let players rewind ${rules.join(", ")} messages in ${setNamespace}, against what the backend was told`,
  ];
}
