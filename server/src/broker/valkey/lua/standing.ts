/**
 * Lua: what stands against a player, a hash that lives as long as something in it does: `b` until when the player is banned, in ms, or `inf`; `w`
 * why; `t` before when tokens must have been issued to be void, in ms; `x` until when that is remembered; `k` when its sessions were ended for
 * the last time, in ms, and `y` until when that is.
 */
export const standingFunctions = `
local function keep_standing(key)
  local banned_until, revoked_until, kicked_until = unpack(server.call('HMGET', key, 'b', 'x', 'y'), 1, 3)
  if banned_until == 'inf' then
    server.call('PERSIST', key)
  else
    local kept_until = math.max(tonumber(revoked_until or '0'), tonumber(kicked_until or '0'))
    server.call('PEXPIREAT', key, text(math.max(tonumber(banned_until or '0'), kept_until)))
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

-- Arguments: is cluster, for how long to remember it in ms. Answers 'ok <mark>'.
local function standing_kick(keys, args)
  local before, kept_until = unpack(server.call('HMGET', keys[1], 'k', 'y'), 1, 2)
  local at = math.max(tonumber(before or '0') + 1, now_ms())
  kept_until = math.max(tonumber(kept_until or '0'), now_ms() + tonumber(args[2]))
  server.call('HSET', keys[1], 'k', text(at), 'y', text(kept_until))
  keep_standing(keys[1])
  return 'ok ' .. mark(args[1])
end
`;
