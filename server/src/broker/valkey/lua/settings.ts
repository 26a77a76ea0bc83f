/** Lua: what was set at run time, one hash: `v` the version, and `<app>/<namespace>` to '1' and the encoded namespace, or '0' if it was removed. */
export const settingsFunctions = `
-- Arguments: is cluster, field, value. Answers 'ok <mark> <version>'.
local function settings_set(keys, args)
  local version = text(next_version(server.call('HGET', keys[1], 'v')))
  server.call('HSET', keys[1], args[2], args[3], 'v', version)
  return 'ok ' .. mark(args[1]) .. ' ' .. version
end
`;
