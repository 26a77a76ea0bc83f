import { CliProcess } from "./cli-process.ts";

/** A development server that `fanfare serve` runs. */
export interface DevServer {
  readonly process: CliProcess;
  readonly url: string;
  readonly token: string;
  readonly apiKey: string;
}

/** Starts `fanfare serve --dev` on a free port. */
export async function startDevServer(args: readonly string[] = []): Promise<DevServer> {
  const process = new CliProcess(["serve", "--dev", "--port", "0", "--json", ...args]);
  const line = await process.line("stdout", /"serving"/);
  return { process, ...(JSON.parse(line) as { url: string; token: string; apiKey: string }) };
}
