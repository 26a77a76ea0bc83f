/**
 * For whoever brings the client to a runtime: what it needs from there, and how it is made. Users of a shell need none of this.
 *
 * @module
 */

export { openClient } from "./client.ts";
export type { ConnectOptions } from "./options.ts";
export type {
  Clock,
  Lifecycle,
  LifecycleEvent,
  Ports,
  Random,
  Socket,
  SocketEvents,
  SocketFactory,
  TimerHandle,
} from "./ports.ts";
