/**
 * For backends: the control API; and for whoever runs the servers: the operator API.
 *
 * @module
 */
export {
  type ControlClient,
  type ControlClientOptions,
  createControlClient,
  createOperatorClient,
  type OperatorClient,
  type OperatorClientOptions,
} from "./control/control-client.ts";
export { channelFor, payloadFor } from "./control/publication.ts";
