/** Aborts when this process is told to end: by SIGINT, by SIGTERM, or because the process that started it is gone. */
export function processSignal(): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  process.once("disconnect", abort);
  return controller.signal;
}
