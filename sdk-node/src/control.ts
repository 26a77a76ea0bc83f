/**
 * For backends: the control API.
 *
 * @module
 */
export { type ControlClient, type ControlClientOptions, createControlClient } from "./control/control-client.ts";
export { channelFor, payloadFor } from "./control/publication.ts";
