import type { DevCredentials } from "@fanfare/server";
import type { Output } from "../terminal/output.ts";
import { defaultUrl } from "./server-options.ts";

/** What the banner tells of. */
export interface BannerContent {
  readonly url: string;
  readonly version: string;
  /** Of a player to try things with. */
  readonly credentials: DevCredentials;
}

/** What a development server prints when it serves. */
export function developmentBanner({ url, version, credentials }: BannerContent, output: Output): string[] {
  const where = url === defaultUrl ? "" : ` --url ${url}`;
  const head = (text: string) => output.styled("bold", text.padEnd(11));
  const hours = Math.round((credentials.expiresAtMs - Date.now()) / 3_600_000);
  return [
    "",
    `  ${output.styled("bold", `Fanfare ${version}`)} serves on ${output.styled("cyan", url)}`,
    "",
    `  ${output.styled("yellow", "DEVELOPMENT SERVER: every group is open to everybody on this machine, and the secrets below are")}`,
    `  ${output.styled("yellow", "new at each start. For anything else: npx fanfare serve --config <file>.")}`,
    "",
    `  ${head("Page")}${url}/`,
    `  ${head("Receive")}npx fanfare sub --group lobby${where}`,
    `  ${head("Send")}npx fanfare pub --group lobby hello${where}`,
    "",
    `  ${head("Players")}${url.replace(/^http/, "ws")}/v1/connect`,
    `  ${head("Token")}of player ${credentials.player}, for ${hours} h:`,
    `  ${output.styled("dim", credentials.token)}`,
    "",
    `  ${head("Control")}${url}/fanfare.control.v1.ControlService/`,
    `  ${head("API key")}${output.styled("dim", credentials.apiKey)}`,
    "",
    "  Ctrl-C stops it.",
    "",
  ];
}
