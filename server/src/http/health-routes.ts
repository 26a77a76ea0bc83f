import { NodeState } from "@fanfare/proto/control/v1";
import type { FanfareNode } from "../node.ts";
import type { Metrics } from "../observe/metrics.ts";
import { get, type Route, sendText } from "./routes.ts";

/**
 * `/healthz`: the process runs. `/readyz`: it accepts clients and can store; 503 while it drains, and while there is a problem.
 * @param problem what keeps it from that, in a few words; undefined: nothing
 */
export function healthRoutes(node: FanfareNode, problem: () => string | undefined): Route[] {
  return [
    get("/healthz", (_request, response) => sendText(response, 200, "ok\n")),
    get("/readyz", (_request, response) => {
      const reason = node.state === NodeState.READY ? problem() : "draining";
      if (reason === undefined) sendText(response, 200, "ready\n");
      else sendText(response, 503, `${reason}\n`);
    }),
  ];
}

/** `/metrics`, in Prometheus' text format. */
export function metricsRoute(metrics: Metrics): Route {
  return get("/metrics", (_request, response) => {
    metrics.render().then(
      (text) => sendText(response, 200, text, metrics.contentType),
      () => sendText(response, 500, "the metrics could not be read\n"),
    );
  });
}
