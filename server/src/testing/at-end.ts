const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What ends this process: a signal, or undefined where it exits by itself. */
export type EndSignal = (typeof signals)[number] | undefined;

const actions = new Set<(signal: EndSignal) => void>();

/**
 * Has something done, without waiting, when this process ends by itself or by a signal that ends processes: Node.js emits `exit` in the first case
 * alone. The signal does then what it would have done. For what must not outlive the process: children, folders. Returns a function that takes it
 * back.
 */
export function atEnd(action: (signal: EndSignal) => void): () => void {
  if (actions.size === 0) {
    process.on("exit", onExit);
    for (const signal of signals) process.on(signal, onSignal);
  }
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size === 0) forget();
  };
}

function onExit(): void {
  end(undefined);
}

function onSignal(signal: NodeJS.Signals): void {
  end(signal as EndSignal);
  // Whoever else listens decides what the signal does.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function end(signal: EndSignal): void {
  const due = [...actions];
  forget();
  for (const action of due) action(signal);
}

function forget(): void {
  actions.clear();
  process.off("exit", onExit);
  for (const signal of signals) process.off(signal, onSignal);
}
