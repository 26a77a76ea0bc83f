import { describe, expect, it } from "vitest";
import { Deliveries } from "../load/deliveries.ts";
import type { Fleet } from "../load/fleet.ts";
import { checkDeliveries, DeliveryError } from "./check-deliveries.ts";

function fleetOf(deliveries: Deliveries, unanswered = 0): Fleet {
  return { deliveries, unanswered, publish: () => {}, [Symbol.asyncDispose]: async () => {} };
}

/** Ten members, each of which got both messages of a round. */
function complete(): Deliveries {
  const deliveries = new Deliveries(10, 1);
  for (let member = 0; member < 10; member++) for (let message = 0; message < 2; message++) deliveries.count(member);
  return deliveries;
}

describe("checkDeliveries", () => {
  it("accepts a round in which everybody got everything once", () => {
    expect(() => checkDeliveries(fleetOf(complete()), 2)).not.toThrow();
  });

  it("fails a round that lost a message, and one that doubled it", () => {
    expect(() => checkDeliveries(fleetOf(complete()), 3)).toThrow("20 of 30 messages were delivered");
    const doubled = complete();
    doubled.count(4);
    expect(() => checkDeliveries(fleetOf(doubled), 2)).toThrow("1 of 10 members did not get each of 2 messages once");
  });

  it("fails a round with an unanswered publish or any other problem", () => {
    expect(() => checkDeliveries(fleetOf(complete(), 1), 2)).toThrow(DeliveryError);
    const broken = complete();
    broken.problem("member 3 was disconnected");
    expect(() => checkDeliveries(fleetOf(broken), 2)).toThrow("member 3 was disconnected");
  });
});
