import { createLog, loadConfig, startServer, textSink } from "@fanfare/server";

// A node of a cluster under stress as a process of its own, configured by its first argument (JSON). Says where it listens; drains on SIGTERM,
// as a deployment would.
const [text = ""] = process.argv.slice(2);
const log = createLog({ level: "info", sink: textSink((line) => console.error(line)), nowMs: Date.now });
try {
  const server = await startServer({ config: loadConfig({ text, environment: process.env }), log, metricsSharedMs: 0 });
  process.send?.({ url: server.url });
  process.once("SIGTERM", () => void server.drain());
  process.once("disconnect", () => void server.close());
  await server.closed;
  process.exit(0);
} catch (reason) {
  console.error(reason instanceof Error ? reason.stack : reason);
  process.exit(1);
}
