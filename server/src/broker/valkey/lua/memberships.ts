/**
 * Lua: memberships.
 *
 * The groups of a player are a hash: `g<group>` to the version with which the player became a member; `v` the version of the last change; `n` who has
 * changed it lately, see `once.ts`; and `w`, which functions before the fifth version count on. A player without groups is remembered for a day.
 *
 * The members of a group are a sorted set, written after the player's hash: a member's name with score 0, and, for ten minutes, each changed name
 * behind a byte 255 with the version of its change as score, so that a change that comes late loses. No name begins with that byte, so the names
 * stand before all else, in their order.
 */
export const membershipFunctions = `
local EMPTY_LIFE_MS = 24 * 60 * 60 * 1000
local CHANGE_LIFE_MS = 10 * 60 * 1000
local CHANGE = '\\255'

-- Arguments: is cluster, caller, number, group, '1' to become a member and '0' to be none any more, most groups.
-- Answers '<changed, same, full or late> <mark> <version>'.
local function member_change(keys, args)
  local key, field, is_member = keys[1], 'g' .. args[4], args[5] == '1'
  local version, since = unpack(server.call('HMGET', key, 'v', field), 1, 2)
  local count = server.call('HLEN', key) - (version and 3 or 0)
  local verdict, digits = once(key, 'n', args[2], args[3], now_ms(), function()
    local answer = 'changed'
    if is_member and not since and count >= tonumber(args[6]) then
      answer = 'full'
    elseif is_member == (since and true or false) then
      answer = 'same'
    elseif is_member then
      version = text(next_version(version))
      server.call('HSET', key, field, version)
      count = count + 1
    else
      version = text(next_version(version))
      server.call('HDEL', key, field)
      count = count - 1
    end
    server.call('HSET', key, 'v', version or '0', 'w', answer)
    return answer, version or '0'
  end, function()
    if is_member == (since and true or false) then return 'same', version end
  end)
  if count == 0 then server.call('PEXPIRE', key, text(EMPTY_LIFE_MS)) else server.call('PERSIST', key) end
  return verdict .. ' ' .. mark(args[1]) .. ' ' .. digits
end

-- Arguments: is cluster, player, '1' or '0' as above, version. Answers 'ok <mark>'.
local function index_change(keys, args)
  local key, player, version = keys[1], args[2], tonumber(args[4])
  local known = tonumber(server.call('ZSCORE', key, CHANGE .. player) or '0')
  if version >= known then
    server.call('ZADD', key, text(version), CHANGE .. player)
    if args[3] == '1' then server.call('ZADD', key, '0', player) else server.call('ZREM', key, player) end
  end
  server.call('ZREMRANGEBYSCORE', key, '1', text(now_ms() - CHANGE_LIFE_MS))
  -- A write for WAIT's sake; and so that a group without members is forgotten.
  server.call('ZADD', key, '0', CHANGE)
  server.call('ZREM', key, CHANGE)
  if server.call('ZCOUNT', key, '0', '0') == 0 then
    server.call('PEXPIRE', key, text(CHANGE_LIFE_MS))
  else
    server.call('PERSIST', key)
  end
  return 'ok ' .. mark(args[1])
end

-- Arguments: is cluster, the last name before ('' for none), most names. Answers { 'ok <mark>', names }.
local function index_page(keys, args)
  local after = '-'
  if args[2] ~= '' then after = '(' .. args[2] end
  local names = server.call('ZRANGEBYLEX', keys[1], after, '(' .. CHANGE, 'LIMIT', '0', args[3])
  table.insert(names, 1, 'ok ' .. mark(args[1]))
  return names
end
`;
