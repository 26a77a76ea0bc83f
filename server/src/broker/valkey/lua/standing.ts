/**
 * Lua: what stands against a player, a hash that lives as long as something in it does: `b` until when the player is banned, in ms, or `inf`; `w`
 * why; `t` before when tokens must have been issued to be void, in ms; `x` until when that is remembered; `k` when its sessions were ended for
 * the last time, in ms, and `y` until when that is; `!` who has changed it lately, see `once.ts`.
 */
export const standingFunctions = `
-- For as long as something stands, and it is to be remembered who has changed it.
local function keep_standing(key)
  local banned_until, revoked_until, kicked_until = unpack(server.call('HMGET', key, 'b', 'x', 'y'), 1, 3)
  if banned_until == 'inf' then
    server.call('PERSIST', key)
  else
    local kept_until = math.max(tonumber(revoked_until or '0'), tonumber(kicked_until or '0'), now_ms() + CALLER_LIFE_MS)
    server.call('PEXPIREAT', key, text(math.max(tonumber(banned_until or '0'), kept_until)))
  end
end

local function change_standing(keys, args, change, holds)
  local verdict, digits = once(keys[1], '!', args[2], args[3], now_ms(), change, holds)
  keep_standing(keys[1])
  return verdict .. ' ' .. mark(args[1]) .. ' ' .. digits
end

-- Arguments: is cluster, caller, number, until when in ms or 'inf', why. Answers '<ok or late> <mark>'.
local function standing_ban(keys, args)
  return change_standing(keys, args, function()
    server.call('HSET', keys[1], 'b', args[4], 'w', args[5])
    return 'ok', ''
  end, function()
    local banned_until, reason = unpack(server.call('HMGET', keys[1], 'b', 'w'), 1, 2)
    if banned_until == args[4] and reason == args[5] then return 'ok', '' end
  end)
end

-- Arguments: is cluster, caller, number. Answers '<ok or late> <mark> <1 if there was a ban>'.
local function standing_unban(keys, args)
  return change_standing(keys, args, function()
    local banned_until = server.call('HGET', keys[1], 'b')
    local was_banned = banned_until and (banned_until == 'inf' or tonumber(banned_until) > now_ms())
    if banned_until then server.call('HDEL', keys[1], 'b', 'w') end
    return 'ok', was_banned and '1' or '0'
  end, function()
    if not server.call('HGET', keys[1], 'b') then return 'ok', '0' end
  end)
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

-- Arguments: is cluster, caller, number, for how long to remember it in ms. Answers '<ok or late> <mark>'.
local function standing_kick(keys, args)
  return change_standing(keys, args, function()
    local before, kept_until = unpack(server.call('HMGET', keys[1], 'k', 'y'), 1, 2)
    local at = math.max(tonumber(before or '0') + 1, now_ms())
    kept_until = math.max(tonumber(kept_until or '0'), now_ms() + tonumber(args[4]))
    server.call('HSET', keys[1], 'k', text(at), 'y', text(kept_until))
    return 'ok', ''
  end, function() end)
end
`;
