/**
 * What random tests begin with: always the same, so that a change is judged by itself and not by luck; another with FANFARE_SEED,
 * as `npm run nightly` does.
 */
export const testSeed = Number(process.env.FANFARE_SEED ?? 1);
