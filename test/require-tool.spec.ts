import { describe, expect, it } from "vitest";
import { requireTool } from "./require-tool.ts";

function search(env: Record<string, string>, executables: string[]) {
  const lines: string[] = [];
  const found = {
    env,
    isExecutable: (path: string) => executables.includes(path),
    log: (line: string) => lines.push(line),
  };
  return { found, lines };
}

describe("requireTool", () => {
  it("finds the program on the PATH", () => {
    const { found, lines } = search({ PATH: "/a:/b" }, ["/b/chromium"]);
    expect(requireTool("chromium", found)).toBe("/b/chromium");
    expect(lines).toEqual([]);
  });

  it("takes the path that the variable names, and nothing else then", () => {
    const { found } = search({ PATH: "/b", CHROMIUM_PATH: "/opt/chrome" }, ["/opt/chrome", "/b/chromium"]);
    expect(requireTool("chromium", found)).toBe("/opt/chrome");
    const { found: wrong } = search({ PATH: "/b", CHROMIUM_PATH: "/opt/none" }, ["/b/chromium"]);
    expect(requireTool("chromium", wrong)).toBeUndefined();
  });

  it("says what to install and lets a laptop skip", () => {
    const { found, lines } = search({ PATH: "/a" }, []);
    expect(requireTool("chromium", found)).toBeUndefined();
    expect(lines).toEqual([expect.stringContaining("apt-get install chromium")]);
  });

  it("fails in CI", () => {
    const { found } = search({ PATH: "/a", CI: "true" }, []);
    expect(() => requireTool("chromium", found)).toThrow(/CI skips no test/);
  });
});
