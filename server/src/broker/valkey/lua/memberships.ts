/**
 * Lua: memberships.
 *
 * The groups of a player are a hash: `g<group>` to the version with which the player became a member; `v` the version of the last change; `n` the
 * nonce of that change, by which its repeat is recognised, and `w` what it was answered. A player without groups is remembered for a day.
 *
 * The members of a group are a sorted set, written after the player's hash: a member's name with score 0, and, for ten minutes, each changed name
 * behind a byte 255 with the version of its change as score, so that a change that comes late loses. No name begins with that byte, so the names
 * stand before all else, in their order.
 */
export const membershipFunctions = `
local EMPTY_LIFE_MS = 24 * 60 * 60 * 1000
local CHANGE_LIFE_MS = 10 * 60 * 1000
local CHANGE = '\\255'

-- Arguments: is cluster, group, '1' to become a member and '0' to be none any more, nonce, most groups.
-- Answers '<changed, same or full> <mark> <version>'.
local function member_change(keys, args)
  local key, field, is_member, nonce = keys[1], 'g' .. args[2], args[3] == '1', args[4]
  local version, last_nonce, last_answer, since = unpack(server.call('HMGET', key, 'v', 'n', 'w', field), 1, 4)
  local count = server.call('HLEN', key) - (version and 3 or 0)
  local answer = 'changed'
  if nonce == last_nonce then
    answer = last_answer
  elseif is_member and not since and count >= tonumber(args[5]) then
    answer = 'full'
  elseif is_member == (since and true or false) then
    answer = 'same'
  else
    version = text(next_version(version))
    if is_member then
      server.call('HSET', key, field, version)
      server.call('PERSIST', key)
    else
      server.call('HDEL', key, field)
      if count == 1 then server.call('PEXPIRE', key, text(EMPTY_LIFE_MS)) end
    end
    server.call('HSET', key, 'v', version, 'n', nonce, 'w', answer)
  end
  write_nothing(key)
  return answer .. ' ' .. mark(args[1]) .. ' ' .. (version or '0')
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
