import { createLog, loadConfig, startServer, textSink } from "@fanfare/server";

// A server as a process of its own, configured by its first argument (JSON). Says where it listens, and ends with 1 and a line on standard error
// when it cannot start.
const [text = ""] = process.argv.slice(2);
const log = createLog({ level: "info", sink: textSink((line) => console.error(line)), nowMs: Date.now });
try {
  const server = await startServer({ config: loadConfig({ text, environment: {} }), log });
  process.send?.({ url: server.url });
  process.once("disconnect", () => void server.close());
  await server.closed;
  process.exit(0);
} catch (reason) {
  console.error(reason instanceof Error ? reason.message : reason);
  process.exit(1);
}
