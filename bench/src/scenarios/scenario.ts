/** One shape of load, offered alike to every contender. */
export interface Scenario {
  readonly name: string;
  /** One line for the help text and the report. */
  readonly description: string;
  /** The one group. Its name is in every message, so its length counts. */
  readonly group: string;
  /** Connections that receive every message. */
  readonly members: number;
  /** Connections that publish, in turn. With Fanfare they are the first of the members. */
  readonly publishers: number;
  /** Publishes a second, of all publishers together. */
  readonly messagesPerSecond: number;
  /** Bytes of application payload in each message. */
  readonly payloadBytes: number;
  /** The most CPU Fanfare may take for a delivered message, as a multiple of the floor's. */
  readonly maxTimesFloor: number;
}
