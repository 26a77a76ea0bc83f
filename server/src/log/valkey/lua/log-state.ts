import { numberText, replyMark } from "../../../valkey/lua/reply-mark.ts";

/**
 * Lua: what all functions of the log share.
 *
 * A channel has two keys in one slot.
 *
 * `KEYS[1]` is a stream. The id of an entry is `<offset>-<tag>`, so the stream's last id is the head, tag included, and outlives the entries.
 * An entry has two fields: `h`, eight numbers (previous tag, expiry in ms, origin in hex, seq, flags, time of the append in ms, sum of
 * bytes, offset of the origin's append before it), and `b`, the body. The sum of bytes counts the bodies up to and including this one since
 * the stream was last empty, so the bytes of the log are a difference of two entries and need no counter that could drift.
 *
 * `KEYS[2]` is a hash: `e` epoch; `t` the newest entry that was trimmed, as an id; `h` the head as of the last append, for when the stream has
 * expired; `n` when that was; `a` the age in ms that it was to be kept; `w` the time of the last write that was made for WAIT's sake; `c`
 * how many `d<offset>` there are, the tags of deleted entries; `g`, `s`, `i` the current generation of identities (0 or 1), its beginning and
 * its size; `p` when the expiries were set; `x` who has cleared it lately, see
 * `once.ts`; `o<g>:<origin>` seq, epoch, offset and tag of an origin's newest append; `k<g>:<key>` the same of an idempotency key.
 *
 * The stream expires once all its entries have aged; the hash 30 days later. A hash whose stream is gone too early has lost entries: that is a
 * new epoch, as is a stream without its hash.
 */
export const logState = `
local POSITION_LIFETIME_MS = 30 * 24 * 60 * 60 * 1000
local STREAM_SLACK_MS = 60 * 1000

local function now_us()
  local time = server.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
${numberText}
local function id_of(offset, tag)
  return text(offset) .. '-' .. text(tag)
end

local function split_id(id)
  local offset, tag = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(offset), tonumber(tag)
end
${replyMark}
-- What trimming needs of an entry; done for two entries at every call.
local function parse_entry(item)
  local header, body = item[2][2], item[2][4]
  local at, sum = string.match(header, '^%d+ %d+ %x+ %d+ %d+ (%d+) (%d+) ')
  local offset, tag = split_id(item[1])
  return {
    id = item[1], offset = offset, tag = tag, at = tonumber(at), sum = tonumber(sum), size = #body, header = header, body = body,
  }
end

-- Who appended an entry, and what only a repeat asks for: seq, offset of the origin's append before it, previous tag.
local function parse_identity(entry)
  local previous, seq, back = string.match(entry.header, '^(%d+) %d+ %x+ (%d+) %d+ %d+ %d+ (%d+)$')
  return tonumber(seq), tonumber(back), tonumber(previous)
end

-- The first entry at or behind an offset.
local function entry_from(log, offset)
  local found = server.call('XRANGE', log.stream, text(offset), '+', 'COUNT', 1)
  if found[1] == nil then return nil end
  return parse_entry(found[1])
end

local function entry_at(log, offset)
  local found = server.call('XRANGE', log.stream, text(offset), text(offset), 'COUNT', 1)
  if found[1] == nil then return nil end
  return parse_entry(found[1])
end

local function drop_hash_fields(key, fields)
  for first = 1, #fields, 1000 do
    server.call('HDEL', key, unpack(fields, first, math.min(first + 999, #fields)))
  end
end

local function drop_fields_like(key, pattern)
  local fields = {}
  for _, field in ipairs(server.call('HKEYS', key)) do
    if string.find(field, pattern) then fields[#fields + 1] = field end
  end
  drop_hash_fields(key, fields)
end

-- Throws all entries away and begins an epoch: the time in us, or one more than the last, so that a later one is higher as long as no clock
-- goes far back. Identities stay: they carry their epoch.
local function begin_epoch(log, last)
  local epoch = math.max(log.now_us, (last or 0) + 1)
  server.call('UNLINK', log.stream)
  drop_fields_like(log.meta, '^d%d')
  server.call('HDEL', log.meta, 't', 'h', 'n', 'a', 'c')
  server.call('HSET', log.meta, 'e', text(epoch))
  server.call('PEXPIRE', log.meta, text(POSITION_LIFETIME_MS))
  log.epoch, log.head, log.head_tag, log.tail, log.tail_tag = epoch, 0, 0, 0, 0
  log.first, log.last, log.deletions = nil, nil, 0
end

-- Leaves the head unset if nothing was ever added: such a stream was only made to be there.
local function load_stream(log)
  local info = server.call('XINFO', 'STREAM', log.stream)
  for i = 1, #info, 2 do
    local name, value = info[i], info[i + 1]
    if name == 'last-generated-id' and value ~= '0-0' then log.head, log.head_tag = split_id(value) end
    if name == 'first-entry' and value then log.first = parse_entry(value) end
    if name == 'last-entry' and value then log.last = parse_entry(value) end
  end
end

-- Reads the state of the log, and with it further fields of the hash, from the seventh on. Writes only when a log begins: on the first look, or
-- after a loss.
local function open_log(keys, ...)
  local us = now_us()
  local log = { stream = keys[1], meta = keys[2], now_us = us, now = math.floor(us / 1000) }
  local state = server.call('HMGET', log.meta, 'e', 't', 'h', 'n', 'a', 'c', ...)
  log.fields = state
  if not state[1] then
    begin_epoch(log)
    return log
  end
  log.epoch, log.deletions = tonumber(state[1]), tonumber(state[6] or '0')
  log.tail, log.tail_tag = split_id(state[2] or '0-0')
  if server.call('EXISTS', log.stream) == 1 then load_stream(log) end
  if log.head then return log end
  if not state[3] then
    log.head, log.head_tag = log.tail, log.tail_tag
  elseif log.now - tonumber(state[4]) >= tonumber(state[5]) then
    log.head, log.head_tag = split_id(state[3])
    log.tail, log.tail_tag = log.head, log.head_tag
  else
    begin_epoch(log, log.epoch)
  end
  return log
end

-- Reads the state of a log as a replica has it, and writes nothing; nil if it says too little.
local function peek_log(keys)
  local log = { stream = keys[1], meta = keys[2] }
  local state = server.call('HMGET', log.meta, 'e', 't')
  if not state[1] or server.call('EXISTS', log.stream) == 0 then return nil end
  log.epoch = tonumber(state[1])
  log.tail, log.tail_tag = split_id(state[2] or '0-0')
  load_stream(log)
  return log.head and log
end

local function forget_deletions(log, from, to)
  if log.deletions == 0 then return end
  if to - from > 1000 then
    drop_fields_like(log.meta, '^d%d')
    server.call('HDEL', log.meta, 'c')
    return
  end
  local fields = {}
  for offset = from, to do fields[#fields + 1] = 'd' .. text(offset) end
  local dropped = server.call('HDEL', log.meta, unpack(fields))
  if dropped > 0 then server.call('HINCRBY', log.meta, 'c', text(-dropped)) end
end

-- Drops what the retention no longer keeps; the newest entry is kept whatever its size. Bounds only grow along the log, so the newest entry
-- to drop is found by halving.
local function trim(log, max_messages, max_bytes, max_age_ms)
  local first, last = log.first, log.last
  if not first then return end
  local oldest, least = log.now - max_age_ms, log.head - max_messages
  local function is_kept(entry)
    return entry.offset > least and entry.at > oldest
      and (entry.id == last.id or last.sum - entry.sum + entry.size <= max_bytes)
  end
  if is_kept(first) then return end
  local dropped, kept_from = first, log.head + 1
  local next_entry = entry_from(log, first.offset + 1)
  if next_entry and is_kept(next_entry) then kept_from = first.offset + 1 end
  while kept_from - dropped.offset > 1 do
    local middle = math.floor((dropped.offset + kept_from) / 2)
    local entry = entry_from(log, middle)
    if entry == nil or is_kept(entry) then kept_from = middle else dropped = entry end
  end
  -- The mark goes first: a reader then misses entries that are still there and is told so, never the reverse.
  server.call('HSET', log.meta, 't', dropped.id)
  forget_deletions(log, log.tail + 1, dropped.offset)
  server.call('XTRIM', log.stream, 'MINID', text(dropped.offset + 1))
  log.tail, log.tail_tag = dropped.offset, dropped.tag
  if dropped.id == last.id then log.first, log.last = nil, nil end
end

-- The tag at an offset from the tail to the head.
local function tag_at(log, offset)
  if offset == log.head then return log.head_tag end
  if offset == log.tail then return log.tail_tag end
  local entry = entry_at(log, offset)
  if entry then return entry.tag end
  return tonumber(server.call('HGET', log.meta, 'd' .. text(offset)) or '0')
end

local function verdict_of(log, epoch, offset, tag)
  if epoch ~= log.epoch then return 'other-epoch' end
  if offset > log.head then return 'forked' end
  if offset < log.tail then return 'trimmed' end
  if tag_at(log, offset) == tag then return 'ok' end
  return 'forked'
end

-- The part of a reply that tells where the log stands: mark, epoch, head, tail.
local function ends_of(log, is_cluster)
  return mark(is_cluster) .. ' ' .. text(log.epoch) .. ' ' .. id_of(log.head, log.head_tag) .. ' '
    .. id_of(log.tail, log.tail_tag)
end
`;
