/** Ends a command that runs until it is told to stop: the signal aborts at the first SIGINT or SIGTERM, a second one ends the process. */
export function interruption(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM"] as const;
  const remove = () => {
    for (const name of names) process.removeListener(name, onSignal);
  };
  const onSignal = () => {
    remove();
    controller.abort();
  };
  for (const name of names) process.on(name, onSignal);
  return { signal: controller.signal, [Symbol.dispose]: remove };
}
