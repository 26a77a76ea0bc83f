/**
 * Lua: what all functions of the broker share.
 *
 * Every function has one key, so that it works on while its slot is being moved, and answers '<verdict> <mark> ...', alone or as the first
 * of an array. Those that change something write whenever they are called, also when nothing changes: WAIT vouches for what its
 * connection wrote last. They recognise their repeat.
 */
export const hashFunctions = `
local function now_ms()
  local time = server.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A write without a trace, for WAIT's sake. The key is a hash or none.
local function write_nothing(key)
  server.call('HSET', key, '~', '1')
  server.call('HDEL', key, '~')
end

-- A version that is greater than the last, also when the last was forgotten: the time in ms, or one more.
local function next_version(last)
  return math.max(now_ms(), tonumber(last or '0') + 1)
end

-- Arguments: is cluster, fields; none: all. Answers { 'ok <mark>', values } in the order of the fields, nil for one that is not there; for all of
-- them field and value in turns.
local function read(keys, args)
  local found
  if #args == 1 then
    found = server.call('HGETALL', keys[1])
  else
    found = server.call('HMGET', keys[1], unpack(args, 2))
  end
  table.insert(found, 1, 'ok ' .. mark(args[1]))
  return found
end
`;
