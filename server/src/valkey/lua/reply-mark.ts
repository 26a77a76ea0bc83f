/** Lua: a number as text. */
export const numberText = `
-- Without an exponent: numbers go up to 2^53.
local function text(number)
  return string.format('%.0f', number)
end
`;

/** Lua: what names the node that answers; needs {@link numberText}. Parsed by `reply-mark.ts`. */
export const replyMark = `
-- Names the run of the node that answers and numbers its answers: '<node>:<run>:<number>', without a node outside of a cluster. Clients follow
-- redirections without a word, so an answer must tell whether it was given where a WAIT was, and before it.
local run, answers = nil, 0
local function mark(is_cluster)
  if not run then
    local time = server.call('TIME')
    run = time[1] .. '.' .. time[2]
  end
  answers = answers + 1
  local node = ''
  if is_cluster == '1' then node = server.call('CLUSTER', 'MYID') end
  return node .. ':' .. run .. ':' .. text(answers)
end
`;

/** Lua: what grouped calls need beside the functions that they call; needs {@link replyMark}. To be registered as `touch` and `mark`. */
export const markFunctions = `
-- Writes something, so that a WAIT behind it covers whatever this node has written. Arguments: is cluster. Answers 'ok <mark>'.
local function touch(keys, args)
  server.call('SET', keys[1], '1', 'PX', '60000')
  return 'ok ' .. mark(args[1])
end

-- Arguments: is cluster. Answers 'ok <mark>'.
local function tell_mark(keys, args)
  return 'ok ' .. mark(args[1])
end
`;
