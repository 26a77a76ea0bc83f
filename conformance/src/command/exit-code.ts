/** What the exit codes say; shown under every help text. */
export const exitCodeHelp = `Exit codes: 0 as it has to be; 1 a case failed, one that is known to fail passed, or the doctor found something; 2 wrong
usage, or a file that cannot be used; 3 the runner could not do its work.`;

/** Wrong usage, or a file that cannot be used. */
export const usageExitCode = 2;
