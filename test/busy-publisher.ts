import type { Outcome } from "@fanfare/proto/v1";
import type { TestClient } from "../server/src/testing/test-client.ts";

/** Publishes to one group without a pause, from its making until it is ended: the next message is sent when one is answered. Each says how many were sent before it. */
export class BusyPublisher {
  readonly #publisher: TestClient;
  readonly #group: string;
  readonly #options: { readonly wantReport: boolean };
  readonly #outcomes: Promise<Outcome>[] = [];
  readonly #pump: Promise<void>;
  #answered = 0;
  #isEnded = false;
  #onAnswered: () => void = () => {};

  constructor(publisher: TestClient, group: string, options: { readonly wantReport: boolean }) {
    this.#publisher = publisher;
    this.#group = group;
    this.#options = options;
    this.#pump = this.#goOn();
  }

  /** How many were sent. */
  get sent(): number {
    return this.#outcomes.length;
  }

  /** Sends one at once, whatever is on its way. */
  publish(): Promise<Outcome> {
    const outcome = this.#publisher.publish(this.#group, `${this.sent}`, this.#options).then((result) => {
      this.#answered++;
      this.#onAnswered();
      return result.outcome;
    });
    this.#outcomes.push(outcome);
    return outcome;
  }

  /** Waits until so many are answered. One at a time may wait. */
  async answered(count: number): Promise<void> {
    while (this.#answered < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onAnswered = resolve;
      await promise;
    }
  }

  /** Sends no more. @returns what became of each */
  async end(): Promise<readonly Outcome[]> {
    this.#isEnded = true;
    await this.#pump;
    return await Promise.all(this.#outcomes);
  }

  async #goOn(): Promise<void> {
    while (!this.#isEnded) await this.publish();
  }
}
