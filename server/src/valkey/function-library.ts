/** A library of server-side functions. */
export interface FunctionLibrary {
  /** Library and function names begin with it. */
  readonly name: string;
  readonly source: string;
}

/**
 * Puts a library together. `PREFIX` in its parts stands for its name.
 * @param name has a version in it: what is loaded under a name never changes, so that nodes of two releases use one Valkey side by side
 */
export function functionLibrary(name: string, parts: readonly string[]): FunctionLibrary {
  return { name, source: [`#!lua name=${name}`, ...parts].join("\n").replaceAll("PREFIX", name) };
}
