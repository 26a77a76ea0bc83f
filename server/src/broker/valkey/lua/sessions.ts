/**
 * Lua: one session, a hash that expires: `o` the owner's incarnation in hex, `a` the attempt, `r` the record; `p` and `q` owner and record before the
 * last claim, which a repeat of it is answered with; `k` when the player was kicked before it began; `c` the close code of a tombstone, which has
 * `o` beside it and nothing else.
 */
export const sessionFunctions = `
local function keep_for(key, life_ms)
  if server.call('PTTL', key) < tonumber(life_ms) then server.call('PEXPIRE', key, life_ms) end
end

-- Arguments: is cluster, attempt, owner, record, life in ms, '1' if it must exist already and '0' if it must not, when the player was kicked, and of a
-- session that began before that the close code and the life of its tombstone in ms.
-- Answers { 'claimed <mark> <previous owner or ->', previous record }, 'stale <mark> <attempt>', 'ended <mark> <code>' or 'unknown <mark>'.
local function session_claim(keys, args)
  local key, attempt, owner, record, life_ms, must_exist = keys[1], args[2], args[3], args[4], args[5], args[6] == '1'
  local kicked, kick_code, kick_life_ms = args[7], args[8], args[9]
  local at, by, of, code, before, before_record, since =
    unpack(server.call('HMGET', key, 'a', 'o', 'r', 'c', 'p', 'q', 'k'), 1, 7)
  if code then
    write_nothing(key)
    return 'ended ' .. mark(args[1]) .. ' ' .. code
  end
  if at and by == owner and tonumber(at) == tonumber(attempt) then
    server.call('HSET', key, 'r', record)
    server.call('PEXPIRE', key, life_ms)
    if not before then return { 'claimed ' .. mark(args[1]) .. ' -' } end
    return { 'claimed ' .. mark(args[1]) .. ' ' .. before, before_record }
  end
  if not at and must_exist then
    write_nothing(key)
    return 'unknown ' .. mark(args[1])
  end
  if at and (not must_exist or tonumber(attempt) <= tonumber(at)) then
    write_nothing(key)
    return 'stale ' .. mark(args[1]) .. ' ' .. at
  end
  if at and tonumber(since or '0') < tonumber(kicked) then
    server.call('DEL', key)
    server.call('HSET', key, 'o', owner, 'c', kick_code)
    server.call('PEXPIRE', key, kick_life_ms)
    return 'ended ' .. mark(args[1]) .. ' ' .. kick_code
  end
  server.call('HSET', key, 'a', attempt, 'o', owner, 'r', record)
  if not at then server.call('HSET', key, 'k', kicked) end
  if at then server.call('HSET', key, 'p', by, 'q', of) end
  server.call('PEXPIRE', key, life_ms)
  if not at then return { 'claimed ' .. mark(args[1]) .. ' -' } end
  return { 'claimed ' .. mark(args[1]) .. ' ' .. by, of }
end

-- Arguments: is cluster, owner, life in ms. Answers 'ok <mark>'.
local function session_extend(keys, args)
  local by, code = unpack(server.call('HMGET', keys[1], 'o', 'c'), 1, 2)
  if by == args[2] and not code then keep_for(keys[1], args[3]) end
  write_nothing(keys[1])
  return 'ok ' .. mark(args[1])
end

-- Arguments: is cluster, owner, close code ('' to forget it), life of the tombstone in ms. Answers 'ok <mark>'.
local function session_end(keys, args)
  if server.call('HGET', keys[1], 'o') == args[2] then
    server.call('DEL', keys[1])
    if args[3] ~= '' then
      server.call('HSET', keys[1], 'o', args[2], 'c', args[3])
      server.call('PEXPIRE', keys[1], args[4])
    end
  end
  write_nothing(keys[1])
  return 'ok ' .. mark(args[1])
end
`;
