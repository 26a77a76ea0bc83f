import { isIP, isIPv4 } from "node:net";
import type { ServerConfig } from "@fanfare/proto/config/v1";
import type { ConfigProblem } from "./config-error.ts";

/** The first rule that the addresses of a server break. */
export function listenProblem({ listen, dev }: ServerConfig): ConfigProblem | undefined {
  const hosts = [
    { field: "listen.host", host: listen?.host ?? "" },
    ...(listen?.additional ?? []).map(({ host }, i) => ({ field: `listen.additional[${i}].host`, host })),
  ];
  const open = dev ? hosts.find(({ host }) => !isLoopback(host)) : undefined;
  if (open !== undefined) {
    return {
      field: open.field,
      problem: `is ${open.host}, and development mode, in which everybody may do everything, is for loopback only`,
      remedy: "use 127.0.0.1, or write a configuration without `dev`",
    };
  }
  const proxy = (listen?.trustedProxies ?? []).findIndex((text) => !isNetwork(text));
  if (proxy >= 0) {
    return {
      field: `listen.trusted_proxies[${proxy}]`,
      problem: "is neither an address nor a network",
      remedy: "write for instance 10.0.0.7 or 10.0.0.0/8",
    };
  }
  return undefined;
}

/** Whether an address or host name is this machine's own. Empty stands for 127.0.0.1. */
export function isLoopback(host: string): boolean {
  if (host === "" || host === "localhost" || host === "::1" || host === "[::1]") return true;
  return isIPv4(host) && host.startsWith("127.");
}

function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}
