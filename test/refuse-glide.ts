import { registerHooks } from "node:module";

// For `node --import`: the process in which no GLIDE package is installed, wherever it runs.
registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier.startsWith("@valkey/")) {
      throw Object.assign(new Error(`refused to load ${specifier}`), { code: "ERR_MODULE_NOT_FOUND" });
    }
    return nextResolve(specifier, context);
  },
});
