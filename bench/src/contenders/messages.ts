import type { Profiler } from "node:inspector";

/** What the load process asks a contender's process over the IPC channel. */
export type ToContender = { readonly kind: "cpu" | "startProfile" | "stopProfile" | "stop" };

/** What a contender's process says. */
export type FromContender = Ready | CpuReading | ProfileReading;

export interface Ready {
  readonly kind: "ready";
  /** WebSocket port on 127.0.0.1. */
  readonly port: number;
  /** TCP port that takes control records; absent where publishers publish over their WebSocket. */
  readonly controlPort?: number;
  /** Secret that signs players' tokens (HS256), where the contender wants tokens. */
  readonly tokenSecret?: string;
}

/** The whole process since its start, in microseconds. */
export interface CpuReading {
  readonly kind: "cpu";
  readonly userUs: number;
  readonly systemUs: number;
}

export interface ProfileReading {
  readonly kind: "profile";
  readonly profile: Profiler.Profile;
}
