import type { Random } from "../server/src/testing/random.ts";
import { glideConnector, type ValkeyClient, type ValkeyConnector } from "../server/src/valkey/valkey-client.ts";

/** So many answers of a connection are as late as each other. */
const answersAlike = 20;

/**
 * Reaches Valkey by GLIDE, over a network that is at times slow to bring an answer back: each connection by itself, up to so many milliseconds. What was
 * asked first on a connection is answered first. Channels are not delayed.
 */
export function connectorWithLateAnswers(random: Random, maxLateMs: number): ValkeyConnector {
  return {
    connect: async (options) => withLateAnswers(await glideConnector.connect(options), random, maxLateMs),
    subscribe: glideConnector.subscribe,
  };
}

function withLateAnswers(client: ValkeyClient, random: Random, maxLateMs: number): ValkeyClient {
  let answers = 0;
  let lateMs = 0;
  let before: Promise<unknown> = Promise.resolve();
  const late = <Answer>(answer: Promise<Answer>): Promise<Answer> => {
    if (answers++ % answersAlike === 0) lateMs = random.chance(0.5) ? 0 : random.between(0, maxLateMs);
    const { promise: travelled, resolve } = Promise.withResolvers<void>();
    const travel = () => (lateMs === 0 ? resolve() : void setTimeout(resolve, lateMs));
    answer.then(travel, travel);
    const brought = Promise.all([before, travelled]).then(() => answer);
    before = brought.catch(() => {});
    return brought;
  };
  return {
    send: (command, destination) => late(client.send(command, destination)),
    pipeline: (commands, slotOf, timeoutMs) => late(client.pipeline(commands, slotOf, timeoutMs)),
    close: () => client.close(),
  };
}
