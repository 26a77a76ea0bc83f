import { mkdir, writeFile } from "node:fs/promises";
import type { Profiler } from "node:inspector";
import { join } from "node:path";
import { topSelfTimes } from "../measure/cpu-profile.ts";

/** Writes the profile for the browser's developer tools, and returns its top functions as lines. */
export async function writeProfile(profile: Profiler.Profile, folder: string, scenario: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${scenario}.cpuprofile`);
  await writeFile(file, JSON.stringify(profile));
  const root = new URL("../../../", import.meta.url).href;
  const lines = topSelfTimes(profile, root, 30).map(
    ({ where, share }) => `${(share * 100).toFixed(1).padStart(6)} %  ${where}`,
  );
  return [`profile of fanfare in ${scenario}: ${file}`, ...lines];
}
