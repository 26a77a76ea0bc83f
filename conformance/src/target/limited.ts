import type { DisposableServer } from "./environment.ts";

/** Starts servers, at most so many at a time; who comes later waits for one to end. */
export function limited(begin: () => Promise<DisposableServer>, most: number): () => Promise<DisposableServer> {
  let running = 0;
  const waiting: (() => void)[] = [];

  function release(): void {
    running--;
    waiting.shift()?.();
  }

  return async () => {
    while (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      const server = await begin();
      return {
        addresses: server.addresses,
        control: server.control,
        move: (request) => server.move?.(request),
        [Symbol.asyncDispose]: async () => {
          try {
            await server[Symbol.asyncDispose]();
          } finally {
            release();
          }
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  };
}
