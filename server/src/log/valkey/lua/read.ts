import { markFunctions } from "../../../valkey/lua/reply-mark.ts";

/** Lua: reading, deleting and clearing. The state of a log is described in `log-state.ts`. */
export const readFunctions = `
-- A page of a log, by the arguments of read.
local function page_of(log, ends, args)
  local forward = args[2] == 'f'
  local limit, max_bytes = tonumber(args[6]), tonumber(args[7])
  local from = forward and log.tail or log.head + 1
  if args[3] ~= '' then
    local verdict = verdict_of(log, tonumber(args[3]), tonumber(args[4]), tonumber(args[5]))
    if verdict ~= 'ok' then return { verdict .. ' ' .. ends .. ' 0' } end
    from = tonumber(args[4])
  end
  local answer, count, bytes, exhausted = { '' }, 0, 0, false
  while not exhausted do
    local items
    if forward then
      items = server.call('XRANGE', log.stream, text(from + 1), '+', 'COUNT', 16)
    elseif from <= 1 then
      items = {}
    else
      items = server.call('XREVRANGE', log.stream, text(from - 1), '-', 'COUNT', 16)
    end
    exhausted = #items < 16
    for _, item in ipairs(items) do
      local size = #item[2][4]
      if count >= limit or (count > 0 and bytes + size > max_bytes) then
        answer[1] = 'ok ' .. ends .. ' 0'
        return answer
      end
      count, bytes, from = count + 1, bytes + size, split_id(item[1])
      answer[#answer + 1] = item[1]
      answer[#answer + 1] = item[2][2]
      answer[#answer + 1] = item[2][4]
    end
  end
  answer[1] = 'ok ' .. ends .. ' 1'
  return answer
end

-- Arguments: is cluster, direction (f or b), epoch, offset and tag to read from ('' for the end that the direction begins at), entries, bytes,
-- retention (messages, bytes, age in ms).
-- Answers '<verdict> <mark> <epoch> <head> <tail> <exhausted>', then id, header and body of each entry.
local function read(keys, args)
  local log = open_log(keys)
  trim(log, tonumber(args[8]), tonumber(args[9]), tonumber(args[10]))
  return page_of(log, ends_of(log, args[1]), args)
end

-- A page as far as a replica has it, with nothing written. Arguments: those of read, and in the place of the retention a position that the log must have:
-- epoch, offset, tag. Answers as read, 'behind' if the position is not there.
local function peek(keys, args)
  local log = peek_log(keys)
  if not log or verdict_of(log, tonumber(args[8]), tonumber(args[9]), tonumber(args[10])) ~= 'ok' then return 'behind' end
  return page_of(log, ends_of(log, args[1]), args)
end

-- Arguments: is cluster, offsets to go back from the head, retention. Answers 'ok <mark> <epoch> <head> <tail> <position>'.
local function look(keys, args)
  local log = open_log(keys)
  trim(log, tonumber(args[3]), tonumber(args[4]), tonumber(args[5]))
  local offset = math.max(log.tail, log.head - tonumber(args[2]))
  return 'ok ' .. ends_of(log, args[1]) .. ' ' .. id_of(offset, tag_at(log, offset))
end

-- Writes, so that a WAIT behind it covers all that stands in the log, and verifies that a position still does.
-- Arguments: is cluster, epoch, offset, tag. Answers '<verdict> <mark> <epoch> <head> <tail>'.
local function prove(keys, args)
  local log = open_log(keys)
  server.call('HSET', log.meta, 'w', text(log.now))
  return verdict_of(log, tonumber(args[2]), tonumber(args[3]), tonumber(args[4])) .. ' ' .. ends_of(log, args[1])
end

-- Removes one message; its offset and tag stay. Arguments: is cluster, epoch, offset, tag. Answers '<verdict> <mark> <epoch> <head> <tail>'.
local function delete(keys, args)
  local log = open_log(keys)
  local epoch, offset, tag = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local verdict = verdict_of(log, epoch, offset, tag)
  if verdict == 'ok' and offset > log.tail and entry_at(log, offset) then
    if server.call('HSET', log.meta, 'd' .. text(offset), text(tag)) == 1 then
      server.call('HINCRBY', log.meta, 'c', '1')
    end
    server.call('XDEL', log.stream, id_of(offset, tag))
  else
    server.call('HSET', log.meta, 'w', text(log.now))
  end
  return verdict .. ' ' .. ends_of(log, args[1])
end

-- Arguments: is cluster, caller, number. Answers 'ok <mark> <epoch>'.
local function clear(keys, args)
  local log = open_log(keys)
  local verdict, epoch = once(log.meta, 'x', args[2], args[3], log.now, function()
    begin_epoch(log, log.epoch)
    return 'ok', text(log.epoch)
  end, function()
    -- It was cleared since.
    return 'ok', text(log.epoch)
  end)
  return verdict .. ' ' .. mark(args[1]) .. ' ' .. epoch
end

-- Forgets a log altogether, or cursors. Something is written in any case, so that a WAIT behind it covers it. Arguments: is cluster. Answers 'ok <mark>'.
local function erase(keys, args)
  server.call('UNLINK', unpack(keys))
  server.call('SET', keys[1], '')
  server.call('UNLINK', keys[1])
  return 'ok ' .. mark(args[1])
end
${markFunctions}
-- What frees memory, or only reads, is served also when memory is full.
local function register(name, callback)
  server.register_function({ function_name = 'PREFIX_' .. name, callback = callback, flags = { 'allow-oom' } })
end

server.register_function({ function_name = 'PREFIX_peek', callback = peek, flags = { 'no-writes' } })
register('read', read)
register('look', look)
register('prove', prove)
register('delete', delete)
register('clear', clear)
register('erase', erase)
register('touch', touch)
register('mark', tell_mark)
`;
