/** Aborts when this process is told to end: by SIGINT, by SIGTERM, or because the process that started it is gone. */
export function processSignal(): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    controller.abort();
    process.channel?.unref(); // whoever started this keeps the channel open, and it would keep this process alive
  };
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  process.once("disconnect", abort);
  return controller.signal;
}
