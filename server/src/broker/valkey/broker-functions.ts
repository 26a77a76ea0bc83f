import { functionLibrary } from "../../valkey/function-library.ts";
import { onceOnly } from "../../valkey/lua/once.ts";
import { markFunctions, numberText, replyMark } from "../../valkey/lua/reply-mark.ts";
import { hashFunctions } from "./lua/hashes.ts";
import { membershipFunctions } from "./lua/memberships.ts";
import { registryFunctions } from "./lua/registry.ts";
import { routeFunctions } from "./lua/routes.ts";
import { sessionFunctions } from "./lua/sessions.ts";
import { settingsFunctions } from "./lua/settings.ts";
import { standingFunctions } from "./lua/standing.ts";

/**
 * Version of the functions. What is loaded under a version never changes, so nodes of two releases use one Valkey side by side: a change of
 * the code below needs a new version, and must read and write the same keys as the version before it.
 */
const version = 5;

/** Library and function names begin with it. */
export const brokerFunctionPrefix = `fanfare_broker_${version}`;

/**
 * Functions by the name of their Lua function. What frees memory, or only reads, is served also when memory is full; and so are leases, routes, sessions and
 * bans, which are small and bounded by who is connected: else all would end that is live because of what the logs store.
 */
const functions = {
  servedWhenFull: [
    ...["tell_mark", "touch", "read", "route_remove", "session_end", "index_page", "standing_unban"],
    ...["registry_renew", "registry_remove", "settings_delete_app", "route_add", "session_claim", "session_extend"],
    ...["standing_ban", "standing_revoke", "standing_kick"],
  ],
  refusedWhenFull: [...["member_change", "index_change", "settings_set", "settings_put_app"]],
};

/**
 * None is registered as one that only reads: Valkey then holds it up, as a write, while a primary hands over to its replica, so that no primary
 * that is about to be none answers.
 */
function registration(name: string, flags: string): string {
  const registered = name.replace("tell_", "");
  return `server.register_function({ function_name = 'PREFIX_${registered}', callback = ${name}, flags = { ${flags} } })`;
}

/** Everything that Valkey does for the broker in one step. */
export const brokerFunctions = functionLibrary(brokerFunctionPrefix, [
  numberText,
  replyMark,
  markFunctions,
  onceOnly,
  hashFunctions,
  routeFunctions,
  sessionFunctions,
  membershipFunctions,
  standingFunctions,
  registryFunctions,
  settingsFunctions,
  ...functions.servedWhenFull.map((name) => registration(name, "'allow-oom'")),
  ...functions.refusedWhenFull.map((name) => registration(name, "")),
]);
