/** Lua: one shard of the registry, a hash: incarnation in hex to '<renewed at in ms> <record>'. */
export const registryFunctions = `
-- Arguments: is cluster, incarnation, record, for how long a record is kept in ms.
-- Answers { '<renewed or new> <mark>', incarnation, age in ms, record, ... }, the caller's own included.
local function registry_renew(keys, args)
  local key, now, forget_ms = keys[1], now_ms(), tonumber(args[4])
  local is_new = server.call('HSET', key, args[2], text(now) .. ' ' .. args[3]) == 1
  local answer, all = { (is_new and 'new ' or 'renewed ') .. mark(args[1]) }, server.call('HGETALL', key)
  for i = 1, #all, 2 do
    local at, record = string.match(all[i + 1], '^(%d+) (.*)$')
    local age = math.max(0, now - tonumber(at))
    if age > forget_ms then
      server.call('HDEL', key, all[i])
    else
      for _, part in ipairs({ all[i], text(age), record }) do answer[#answer + 1] = part end
    end
  end
  server.call('PEXPIRE', key, args[4])
  return answer
end

-- Arguments: is cluster, incarnation. Answers 'ok <mark>'.
local function registry_remove(keys, args)
  server.call('HDEL', keys[1], args[2])
  return 'ok ' .. mark(args[1])
end
`;
