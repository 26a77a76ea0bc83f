/** What is known of the lanes, to whom chooses one. */
export interface LaneSurvey {
  readonly count: number;
  /** Lanes with the same shard share their fate. Empty: not known. */
  shardOf(lane: number): string;
  /** The lane fails everybody. */
  isSick(lane: number): boolean;
  /** The lane has failed whoever chooses, not long ago. */
  isAvoided(lane: number): boolean;
}

/** A lane counts less for each of these, the first by more than all others together. */
const penalties = { sick: 8, avoided: 4, shardOfAvoided: 2, shardOfCurrent: 1 };

/**
 * Lanes to try next, the best first and chance among equals, each of another shard as far as there are so many.
 * @param current the lane that is left; it comes last of all
 */
export function chooseLanes(survey: LaneSurvey, current: number, wanted: number, random: () => number): number[] {
  const lanes = Array.from({ length: survey.count }, (_, lane) => lane);
  const avoidedShards = new Set(lanes.filter((lane) => survey.isAvoided(lane)).map((lane) => survey.shardOf(lane)));
  const penaltyOf = (lane: number): number => {
    const shard = survey.shardOf(lane);
    if (lane === current) return 2 * penalties.sick;
    return (
      (survey.isSick(lane) ? penalties.sick : 0) +
      (survey.isAvoided(lane) ? penalties.avoided : 0) +
      (shard !== "" && avoidedShards.has(shard) ? penalties.shardOfAvoided : 0) +
      (shard !== "" && shard === survey.shardOf(current) ? penalties.shardOfCurrent : 0)
    );
  };
  const ranked = lanes
    .map((lane) => ({ lane, shard: survey.shardOf(lane), rank: penaltyOf(lane) + random() }))
    .sort((a, b) => a.rank - b.rank);
  const firstOfShard = ranked.filter(
    ({ shard }, index) => shard === "" || ranked.findIndex((other) => other.shard === shard) === index,
  );
  const others = ranked.filter((lane) => !firstOfShard.includes(lane));
  return [...firstOfShard, ...others].slice(0, wanted).map(({ lane }) => lane);
}
