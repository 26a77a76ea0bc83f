/**
 * Lua: the routes of a channel, one hash: incarnation in hex to '<sequence> <was there> <removed at>'. `sequence` is that of the last change of
 * this incarnation, `was there` (0 or 1) what that change was answered, and `removed at` 0, or when it was removed, in ms. What was removed is
 * kept for a minute, so that a change that comes late loses.
 */
export const routeFunctions = `
local REMOVED_LIFE_MS = 60 * 1000

local function parse_route(value)
  if not value then return { sequence = -1, was_there = '0', is_there = false } end
  local sequence, was_there, removed_at = string.match(value, '^(%d+) (%d) (%d+)$')
  removed_at = tonumber(removed_at)
  return { sequence = tonumber(sequence), was_there = was_there, removed_at = removed_at, is_there = removed_at == 0 }
end

-- Forgets what was removed long ago, and lets a hash expire that holds nothing else.
local function tidy_routes(key, now)
  local is_used, old, all = false, {}, server.call('HGETALL', key)
  for i = 1, #all, 2 do
    local route = parse_route(all[i + 1])
    if route.is_there then
      is_used = true
    elseif now - route.removed_at > REMOVED_LIFE_MS then
      old[#old + 1] = all[i]
    end
  end
  for first = 1, #old, 1000 do server.call('HDEL', key, unpack(old, first, math.min(first + 999, #old))) end
  if not is_used then server.call('PEXPIRE', key, text(REMOVED_LIFE_MS)) end
end

-- Arguments: is cluster, incarnation, sequence. Answers 'ok <mark> <was there>'.
local function route_add(keys, args)
  local known = parse_route(server.call('HGET', keys[1], args[2]))
  local sequence = tonumber(args[3])
  local was_there = known.is_there and '1' or '0'
  if sequence < known.sequence then
    write_nothing(keys[1])
    return 'ok ' .. mark(args[1]) .. ' ' .. was_there
  end
  if sequence == known.sequence then was_there = known.was_there end
  server.call('HSET', keys[1], args[2], text(sequence) .. ' ' .. was_there .. ' 0')
  server.call('PERSIST', keys[1])
  return 'ok ' .. mark(args[1]) .. ' ' .. was_there
end

-- Arguments: is cluster, incarnation, sequence. Answers 'ok <mark> <was there>'.
local function route_remove(keys, args)
  local known = parse_route(server.call('HGET', keys[1], args[2]))
  local sequence = tonumber(args[3])
  local was_there = known.is_there and '1' or '0'
  if sequence < known.sequence then
    write_nothing(keys[1])
    return 'ok ' .. mark(args[1]) .. ' 0'
  end
  if sequence == known.sequence then was_there = known.was_there end
  local now = now_ms()
  server.call('HSET', keys[1], args[2], text(sequence) .. ' ' .. was_there .. ' ' .. text(now))
  tidy_routes(keys[1], now)
  return 'ok ' .. mark(args[1]) .. ' ' .. was_there
end
`;
