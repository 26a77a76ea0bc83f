/**
 * Lua: what stands against a player, a hash that lives as long as something in it does: `b` until when the player is banned, in ms, or `inf`; `w`
 * why; `t` before when tokens must have been issued to be void, in ms; `x` until when that is remembered.
 */
export const standingFunctions = `
local function keep_standing(key)
  local banned_until, kept_until = unpack(server.call('HMGET', key, 'b', 'x'), 1, 2)
  if banned_until == 'inf' then
    server.call('PERSIST', key)
  else
    server.call('PEXPIREAT', key, text(math.max(tonumber(banned_until or '0'), tonumber(kept_until or '0'))))
  end
end

-- Arguments: is cluster, until when in ms or 'inf', why. Answers 'ok <mark>'.
local function standing_ban(keys, args)
  server.call('HSET', keys[1], 'b', args[2], 'w', args[3])
  keep_standing(keys[1])
  return 'ok ' .. mark(args[1])
end

-- Arguments: is cluster. Answers 'ok <mark> <1 if there was a ban>'.
local function standing_unban(keys, args)
  local banned_until = server.call('HGET', keys[1], 'b')
  local was_banned = banned_until and (banned_until == 'inf' or tonumber(banned_until) > now_ms())
  write_nothing(keys[1])
  if banned_until then
    server.call('HDEL', keys[1], 'b', 'w')
    keep_standing(keys[1])
  end
  return 'ok ' .. mark(args[1]) .. ' ' .. (was_banned and '1' or '0')
end

-- Arguments: is cluster, before when in ms, for how long to remember it in ms. Answers 'ok <mark>'.
local function standing_revoke(keys, args)
  local before, kept_until = unpack(server.call('HMGET', keys[1], 't', 'x'), 1, 2)
  before = math.max(tonumber(before or '0'), tonumber(args[2]))
  kept_until = math.max(tonumber(kept_until or '0'), now_ms() + tonumber(args[3]))
  server.call('HSET', keys[1], 't', text(before), 'x', text(kept_until))
  keep_standing(keys[1])
  return 'ok ' .. mark(args[1])
end
`;
