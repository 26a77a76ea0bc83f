import { NodeState } from "@fanfare/proto/control/v1";
import type { FanfareNode } from "../node.ts";
import type { Metrics } from "../observe/metrics.ts";
import { get, type Route, sendText } from "./routes.ts";

/** `/healthz`: the process runs. `/readyz`: it accepts clients and can store; 503 while it drains or Valkey is out of reach, as probes through it tell. */
export function healthRoutes(node: FanfareNode, isReachable: () => boolean): Route[] {
  return [
    get("/healthz", (_request, response) => sendText(response, 200, "ok\n")),
    get("/readyz", (_request, response) => {
      if (node.state !== NodeState.READY) sendText(response, 503, "draining\n");
      else if (!isReachable()) sendText(response, 503, "Valkey is out of reach\n");
      else sendText(response, 200, "ready\n");
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
