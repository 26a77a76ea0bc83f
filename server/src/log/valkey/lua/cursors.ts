/** Lua: a player's cursors, one hash: channel key to `<epoch> <offset> <tag>`. */
export const cursorFunctions = `
local function parse_cursor(value)
  local epoch, offset = string.match(value, '^(%d+) (%d+) %d+$')
  return tonumber(epoch), tonumber(offset)
end

-- Arguments: is cluster, channel, epoch, offset, tag, epoch known to be dead ('' for none), most cursors, lifetime in ms.
-- Answers 'ok <mark> <cursor>' with the cursor as it stands then; 'full <mark>' if the player has too many.
local function commit_cursor(keys, args)
  local stored = server.call('HGET', keys[1], args[2])
  local value = args[3] .. ' ' .. args[4] .. ' ' .. args[5]
  local moves = true
  if stored then
    local epoch, offset = parse_cursor(stored)
    local to_epoch, to_offset = tonumber(args[3]), tonumber(args[4])
    moves = to_epoch > epoch or (to_epoch == epoch and to_offset > offset) or text(epoch) == args[6]
  elseif server.call('HLEN', keys[1]) >= tonumber(args[7]) then
    return 'full ' .. mark(args[1])
  end
  if moves then server.call('HSET', keys[1], args[2], value) end
  server.call('PEXPIRE', keys[1], args[8])
  return 'ok ' .. mark(args[1]) .. ' ' .. (moves and value or stored)
end

-- Arguments: is cluster, channel. Answers 'ok <mark> <cursor>', or 'none <mark>'.
local function cursor(keys, args)
  local stored = server.call('HGET', keys[1], args[2])
  if not stored then return 'none ' .. mark(args[1]) end
  return 'ok ' .. mark(args[1]) .. ' ' .. stored
end

server.register_function('PREFIX_commit_cursor', commit_cursor)
register('cursor', cursor)
`;
