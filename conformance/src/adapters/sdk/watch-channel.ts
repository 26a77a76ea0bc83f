import { anyPayload, type Channel } from "@fanfare/sdk-core";
import type { Report } from "./report.ts";
import { wireChannel, wireMember, wirePayload, wirePosition } from "./wire.ts";

/** Reports everything that happens in a channel. */
export function watchChannel(one: Channel, report: (one: Report) => void): void {
  const channel = wireChannel(one.target);
  one.on(anyPayload, (payload, { from, volatile, origin, position }) =>
    report({
      case: "received",
      value: { channel, payload: wirePayload(payload), from, volatile, origin, ...wirePosition("position", position) },
    }),
  );
  one.on("gap", ({ reason, from, to, missed }) =>
    report({
      case: "gap",
      value: {
        channel,
        ...(reason === "overflow" ? {} : { reason }),
        ...wirePosition("from", from),
        ...wirePosition("to", to),
        missed: BigInt(missed),
      },
    }),
  );
  one.on("closed", ({ reason }) => report({ case: "closed", value: { channel, reason } }));
  one.on("caught-up", (position) =>
    report({ case: "caughtUp", value: { channel, ...wirePosition("position", position) } }),
  );
  watchRoster(one, report);
}

function watchRoster(one: Channel, report: (one: Report) => void): void {
  const channel = wireChannel(one.target);
  one.roster.on("change", (event) => {
    switch (event.type) {
      case "joined":
      case "updated":
        return report({
          case: "presence",
          value: { channel, change: { case: event.type, value: wireMember(event.member) } },
        });
      case "left": {
        const { origin, playerId } = event.member;
        const value = { origin, playerId, reason: event.reason };
        return report({ case: "presence", value: { channel, change: { case: "left", value } } });
      }
      case "counts": {
        const { sessions, players } = event;
        return report({
          case: "presence",
          value: { channel, change: { case: "counts", value: { sessions, players } } },
        });
      }
      case "synced":
        return report({ case: "presence", value: { channel, change: { case: "synced", value: true } } });
    }
  });
}
