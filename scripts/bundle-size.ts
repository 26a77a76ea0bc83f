import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * How large the browser SDK is for whoever loads a page: everything it exports, with the Protobuf runtime that it uses, minified and
 * gzipped. `--check` fails if that is past the limit.
 *
 * The second figure is that of a page with generated Protobuf code of its own: such code brings the rest of the runtime, which
 * reads descriptors, and the SDK makes no use of it. It is shown so that nobody is surprised, and has no limit.
 */
const limitBytes = 30 * 1024;

/** One bundle's size. */
export interface BundleSize {
  minified: number;
  gzipped: number;
  /** Minified bytes by package or folder, largest first. */
  parts: [string, number][];
}

/** Bundles a module of this text, as if it stood at the root of the repository. */
export async function bundleSize(entry: string): Promise<BundleSize> {
  const result = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL("../examples", import.meta.url)), loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    conditions: ["@fanfare/source"],
    legalComments: "none",
    metafile: true,
    write: false,
  });
  const [output] = Object.values(result.metafile.outputs);
  const parts = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(output?.inputs ?? {})) {
    const part = partOf(path);
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput);
  }
  const bytes = result.outputFiles[0]?.contents ?? new Uint8Array();
  return {
    minified: bytes.length,
    gzipped: gzipSync(bytes, { level: 9 }).length,
    parts: [...parts].filter(([, size]) => size > 0).sort((a, b) => b[1] - a[1]),
  };
}

/** The SDK alone, and with a schema of an app's own. */
export async function sdkBundleSizes(): Promise<{ alone: BundleSize; withSchema: BundleSize }> {
  const everything = 'import * as sdk from "@fanfare/sdk-browser"; console.log(sdk);';
  // Any small generated file does; this one has three messages and an enum.
  const schema = `import { ChannelSchema } from "../proto/gen/fanfare/v1/channel_pb.js"; console.log(ChannelSchema);`;
  return { alone: await bundleSize(everything), withSchema: await bundleSize(everything + schema) };
}

function partOf(path: string): string {
  const source = /(sdk-[a-z]+)\/src\/(?:([a-z]+)\/)?/.exec(path);
  if (source !== null) return source[2] === undefined ? (source[1] ?? "") : `${source[1]}/${source[2]}`;
  return /@bufbuild\/protobuf/.test(path) ? "@bufbuild/protobuf" : path.includes("proto/gen") ? "schema" : "other";
}

if (import.meta.main) {
  const { alone, withSchema } = await sdkBundleSizes();
  for (const [name, size] of Object.entries({ "sdk-browser": alone, "sdk-browser with an app's schema": withSchema })) {
    console.log(`${name}: ${size.gzipped} bytes gzipped, ${size.minified} minified`);
    for (const [part, bytes] of size.parts) console.log(`  ${String(bytes).padStart(7)} ${part}`);
  }
  console.log(`limit: ${limitBytes} bytes gzipped`);
  if (process.argv.includes("--check") && alone.gzipped > limitBytes) {
    console.error(`the browser SDK is ${alone.gzipped - limitBytes} bytes too large`);
    process.exitCode = 1;
  }
}
