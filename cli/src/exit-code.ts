/** What the command's exit code says. Part of the interface: scripts depend on it. */
export const exitCode = {
  ok: 0,
  /** It was tried and did not succeed. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was tried. */
  usage: 2,
  /** The server cannot be reached. */
  unreachable: 3,
  /** The server refused the token or API key. */
  unauthorized: 4,
} as const;

/** One of {@link exitCode}. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** For the end of `--help`. */
export const exitCodeHelp = `
Exit codes:
  0  done
  1  tried and failed
  2  wrong command line or configuration
  3  the server cannot be reached
  4  the token or API key was refused`;
