import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { clientAddress } from "./client-address.ts";

function from(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

const proxies = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];

describe("clientAddress", () => {
  it("is the peer's where no proxy is trusted, whatever the header says", () => {
    expect(clientAddress(from("203.0.113.5", "198.51.100.1"), [])).toBe("203.0.113.5");
    expect(clientAddress(from("::ffff:203.0.113.5"), [])).toBe("203.0.113.5");
    expect(clientAddress(from(undefined), [])).toBe("");
  });

  it("is the peer's where the peer is no trusted proxy", () => {
    expect(clientAddress(from("203.0.113.5", "198.51.100.1"), proxies)).toBe("203.0.113.5");
    expect(clientAddress(from(undefined, "198.51.100.1"), proxies)).toBe("");
  });

  it("is the last that is no proxy: what a client has made up before it is not looked at", () => {
    const of = (header: string) => clientAddress(from("10.1.1.1", header), proxies);
    expect(of("198.51.100.1")).toBe("198.51.100.1");
    expect(of("1.1.1.1, 198.51.100.1")).toBe("198.51.100.1");
    expect(of("1.1.1.1, 198.51.100.1, 10.2.2.2")).toBe("198.51.100.1");
    expect(of("1.1.1.1 ,198.51.100.1,192.0.2.7, 2001:db8::1")).toBe("198.51.100.1");
    expect(of("::ffff:198.51.100.1")).toBe("198.51.100.1");
    expect(of("2001:db9::5")).toBe("2001:db9::5");
  });

  it("believes nothing before an entry that is no address", () => {
    const of = (header: string) => clientAddress(from("10.1.1.1", header), proxies);
    expect(of("198.51.100.1, unknown, 10.2.2.2")).toBe("10.2.2.2");
    expect(of("unknown")).toBe("10.1.1.1");
    expect(of("198.51.100.1:443")).toBe("10.1.1.1");
    expect(of("")).toBe("10.1.1.1");
    expect(of("fe80::1%eth0")).toBe("fe80::1%eth0");
    expect(of("1".repeat(10_000))).toBe("10.1.1.1");
  });

  it("is the first proxy's where everybody is one", () => {
    expect(clientAddress(from("10.1.1.1", "10.3.3.3, 10.2.2.2"), proxies)).toBe("10.3.3.3");
  });
});
