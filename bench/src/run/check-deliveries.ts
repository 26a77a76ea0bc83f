import type { Fleet } from "../load/fleet.ts";

/** A round that lost, doubled or disordered messages, or broke a connection. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
}

/** Throws a DeliveryError unless every member received each of `messages` once and nothing else went wrong. */
export function checkDeliveries({ deliveries, unanswered }: Fleet, messages: number): void {
  const wrong = deliveries.membersOtherThan(messages);
  if (wrong === 0 && unanswered === 0 && deliveries.problems.length === 0) return;
  const found = [
    `${deliveries.total} of ${messages * deliveries.members} messages were delivered`,
    `${wrong} of ${deliveries.members} members did not get each of ${messages} messages once`,
    `${unanswered} publishes were not answered`,
    ...deliveries.problems,
  ];
  throw new DeliveryError(found.join("; "));
}
