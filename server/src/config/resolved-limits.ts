import type { Limits } from "@fanfare/proto/config/v1";

/** What one client, player, address or node may do; what each means is in `server_config.proto`. */
export interface ResolvedLimits {
  readonly maxFrameBytes: number;
  readonly maxPayloadBytes: number;
  readonly maxSubscriptions: number;
  readonly publishesPerSecond: number;
  readonly publishBurst: number;
  readonly framesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly maxPendingRequests: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerPlayer: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxUnauthenticated: number;
  readonly handshakesPerSecond: number;
  readonly sendQueueBytes: number;
  readonly sendQueueStallMs: number;
  readonly maxMemberships: number;
  readonly maxSessions: number;
  readonly maxPresenceDataBytes: number;
}

/**
 * Fills in the defaults that the comments of `Limits` name. Where only one of two limits that belong together is configured, the
 * default of the other gives way, so that a small `max_frame_bytes` alone is a valid configuration.
 */
export function resolveLimits(limits: Limits | undefined): ResolvedLimits {
  const maxFrameBytes = limits?.maxFrameBytes ?? Math.max(131_072, 2 * (limits?.maxPayloadBytes ?? 0));
  return Object.freeze({
    maxFrameBytes,
    maxPayloadBytes: limits?.maxPayloadBytes ?? Math.min(65_536, maxFrameBytes, limits?.sendQueueBytes ?? 65_536),
    maxSubscriptions: limits?.maxSubscriptions ?? 128,
    publishesPerSecond: limits?.publishesPerSecond ?? 100,
    publishBurst: limits?.publishBurst ?? 200,
    framesPerSecond: limits?.framesPerSecond ?? 500,
    bytesPerSecond: limits?.bytesPerSecond ?? 1_048_576,
    maxPendingRequests: limits?.maxPendingRequests ?? 256,
    maxConnections: limits?.maxConnections ?? 100_000,
    maxConnectionsPerPlayer: limits?.maxConnectionsPerPlayer ?? 16,
    maxConnectionsPerAddress: limits?.maxConnectionsPerAddress ?? 1_000,
    maxUnauthenticated: limits?.maxUnauthenticated ?? 5_000,
    handshakesPerSecond: limits?.handshakesPerSecond ?? 2_000,
    sendQueueBytes: limits?.sendQueueBytes ?? Math.max(1_048_576, 2 * (limits?.maxPayloadBytes ?? 0)),
    sendQueueStallMs: limits?.sendQueueStallMs ?? 10_000,
    maxMemberships: limits?.maxMemberships ?? 1_000,
    maxSessions: limits?.maxSessions ?? 200_000,
    maxPresenceDataBytes: limits?.maxPresenceDataBytes ?? 4_096,
  });
}
