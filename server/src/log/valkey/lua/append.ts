/** Lua: append, and what recognises a repeat. The state of a log is described in `log-state.ts`. */
export const appendFunctions = `
local function record_of(field)
  if not field then return nil end
  local seq, epoch, offset, tag = string.match(field, '^(%d+) (%d+) (%d+) (%d+)$')
  return { seq = tonumber(seq), epoch = tonumber(epoch), offset = tonumber(offset), tag = tonumber(tag) }
end

-- What is remembered of an origin and of a key, from the current generation or the one before; the fields are read with the state of the log.
local function identities_in(log, key)
  local _, _, _, _, _, _, generation, began, size, o0, o1, k0, k1 = unpack(log.fields, 1, 13)
  local is_first = generation ~= '1'
  return {
    generation = is_first and 0 or 1, began = tonumber(began or '0'), size = tonumber(size or '0'),
    is_new = not (is_first and o0 or not is_first and o1), is_new_key = not (is_first and k0 or not is_first and k1),
    of_origin = record_of(is_first and (o0 or o1) or o1 or o0),
    of_key = key ~= '' and record_of(is_first and (k0 or k1) or k1 or k0) or nil,
  }
end

-- 'repeated' with the record of the first append; 'overtaken' if it certainly never was stored and never will be; 'forgotten'; nil if new.
local function find_repeat(log, identities, seq, max_look_back)
  if identities.of_key then return 'repeated', identities.of_key end
  local known = identities.of_origin
  if not known or seq > known.seq then return nil end
  if seq == known.seq then return 'repeated', known end
  if known.epoch ~= log.epoch then return 'forgotten' end
  local at = known.offset
  for _ = 0, max_look_back do
    if at == 0 then break end
    local entry = entry_at(log, at)
    if not entry then break end
    local at_seq, back = parse_identity(entry)
    if at_seq == seq then
      return 'repeated', { seq = seq, epoch = log.epoch, offset = entry.offset, tag = entry.tag }
    end
    if at_seq < seq then return 'overtaken' end
    at = back
  end
  return 'forgotten'
end

-- Fields that remember an append; begins a generation when the current one is full or old.
local function remember(log, identities, origin, key, record, window_ms, max_identities)
  local generation, size = identities.generation, identities.size
  local fields = {}
  if log.now - identities.began >= window_ms or size >= max_identities then
    generation = 1 - generation
    drop_fields_like(log.meta, '^[ok]' .. generation .. ':')
    size = 0
    identities.is_new, identities.is_new_key = true, true
    fields = { 'g', text(generation), 's', text(log.now) }
  end
  local function add(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  if identities.is_new then size = size + 1 end
  add('o' .. generation .. ':' .. origin, record)
  if key ~= '' then
    if identities.is_new_key then size = size + 1 end
    add('k' .. generation .. ':' .. key, record)
  end
  add('i', text(size))
  return fields
end

-- Replicas that take part. Only asked when a publish must not be stored without one.
local function has_replica()
  return string.find(server.call('INFO', 'replication'), 'slave%d+:[^\\r\\n]*state=online') ~= nil
end

-- The nodes on a route: '=' and their incarnations; '-' if there is no such key, which in a slot that is being moved can be at the other node. It is
-- not among the keys of the call, because in such a slot Valkey serves no call of which a key is missing.
local function route_of(key)
  local found = server.pcall('HGETALL', key)
  if found.err or #found == 0 then return '-' end
  local nodes = {}
  for i = 1, #found, 2 do
    if string.sub(found[i + 1], -2) == ' 0' then nodes[#nodes + 1] = found[i] end
  end
  return '=' .. table.concat(nodes, ',')
end

local function answer(verdict, is_cluster, epoch, offset, tag, previous)
  return verdict .. ' ' .. mark(is_cluster) .. ' ' .. text(epoch) .. ' ' .. id_of(offset, tag) .. ' ' .. text(previous)
end

-- Arguments: is cluster, tag, origin in hex, seq, idempotency key, flags, expiry in ms, body, retention (messages, bytes, age in ms), needs
-- a replica, window in ms, identities, look back, key of the route.
-- Answers '<verdict> <mark> <epoch> <offset>-<tag> <previous tag> <route>', for a repeat with its header and body behind it, as long as they are kept;
-- the route only of what is stored.
local function append(keys, args)
  local is_cluster, tag, origin, seq, key = args[1], tonumber(args[2]), args[3], tonumber(args[4]), args[5]
  local flags, expires, body = args[6], args[7], args[8]
  local max_messages, max_bytes, max_age_ms = tonumber(args[9]), tonumber(args[10]), tonumber(args[11])
  local log = open_log(keys, 'g', 's', 'i', 'o0:' .. origin, 'o1:' .. origin, 'k0:' .. key, 'k1:' .. key, 'p')
  local identities = identities_in(log, key)
  local verdict, record = find_repeat(log, identities, seq, tonumber(args[15]))
  if verdict then
    -- WAIT vouches for what its connection wrote last; without a write here it would vouch for nothing.
    server.call('HSET', log.meta, 'w', text(log.now))
    if verdict ~= 'repeated' then return { answer(verdict, is_cluster, log.epoch, 0, 0, 0) } end
    local entry = record.epoch == log.epoch and entry_at(log, record.offset) or nil
    if not entry then return { answer(verdict, is_cluster, record.epoch, record.offset, record.tag, 0) } end
    local _, _, previous = parse_identity(entry)
    local line = answer(verdict, is_cluster, record.epoch, record.offset, record.tag, previous)
    return { line .. ' ' .. route_of(args[16]), entry.header, entry.body }
  end
  if args[12] == '1' and not has_replica() then return { answer('unreplicated', is_cluster, log.epoch, 0, 0, 0) } end

  local last, previous = log.last, log.head_tag
  local offset, sum, at = log.head + 1, #body, log.now
  if last then sum, at = last.sum + #body, math.max(log.now, last.at) end
  local back = 0
  if identities.of_origin and identities.of_origin.epoch == log.epoch then back = identities.of_origin.offset end
  local id = id_of(offset, tag)
  local header = text(previous) .. ' ' .. expires .. ' ' .. origin .. ' ' .. text(seq) .. ' ' .. flags .. ' ' .. text(at) .. ' '
    .. text(sum) .. ' ' .. text(back)
  local fields = remember(log, identities, origin, key, text(seq) .. ' ' .. text(log.epoch) .. ' ' .. text(offset) .. ' ' .. text(tag),
    tonumber(args[13]), tonumber(args[14]))
  for _, value in ipairs({ 'h', id, 'n', text(log.now), 'a', text(max_age_ms) }) do fields[#fields + 1] = value end
  -- Expiries are set once a second: the stream's has a minute to spare.
  local is_set = last and log.fields[5] == text(max_age_ms) and log.now - tonumber(log.fields[14] or '0') < 1000
  if not is_set then
    fields[#fields + 1] = 'p'
    fields[#fields + 1] = text(log.now)
  end

  -- Functions are not rolled back. The entry goes first: if that fails, nothing names it; if the rest fails, the entry goes too.
  server.call('XADD', log.stream, id, 'h', header, 'b', body)
  local remembered = server.pcall('HSET', log.meta, unpack(fields))
  if type(remembered) == 'table' and remembered.err then
    server.call('XDEL', log.stream, id)
    return remembered
  end
  log.head, log.head_tag = offset, tag
  log.last = { id = id, offset = offset, tag = tag, at = at, sum = sum, size = #body }
  log.first = log.first or log.last
  -- The message is stored; what is left undone here is done at the next append.
  pcall(trim, log, max_messages, max_bytes, max_age_ms)
  if not is_set then
    server.pcall('PEXPIRE', log.stream, text(max_age_ms + STREAM_SLACK_MS))
    server.pcall('PEXPIRE', log.meta, text(max_age_ms + POSITION_LIFETIME_MS))
  end
  return { answer('stored', is_cluster, log.epoch, offset, tag, previous) .. ' ' .. route_of(args[16]) }
end

server.register_function('PREFIX_append', append)
`;
