/** The implementation did not do what the case demands. */
export class CaseFailure extends Error {
  override readonly name = "CaseFailure";
  /** The requirement that was broken, if the runner knows it better than the case. */
  readonly spec: string | undefined;

  constructor(message: string, spec?: string) {
    super(message);
    this.spec = spec;
  }
}

/** The runner could not carry the case out. */
export class HarnessError extends Error {
  override readonly name = "HarnessError";
}
