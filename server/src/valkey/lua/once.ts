/** Lua: changes that are carried out once, whenever they come; needs `numberText`. */
export const onceOnly = `
-- How long it is remembered what a caller has changed: longer than a call is tried again, and a client that was replaced still delivers.
local CALLER_LIFE_MS = 60 * 1000
-- With the default of hash-max-listpack-value a value of more than 64 bytes makes a small hash a large one. One caller takes less.
local MAX_CALLERS = 32

-- Carries out a change of a hash, unless its caller has changed that already, or something since: what is tried again at another client can come a second
-- time by the first one, behind changes that were called, and answered, later. A field of the hash has of each caller of the last minute the number of its
-- last change, the time in s, and what that was answered: a verdict of letters, and digits. Writes something whenever it is called.
-- Returns verdict and digits, for a repeat those of the first time. Of a change before the caller's last one it is not known whether it was carried out: it
-- counts as that where what it is to bring about holds, of which that function gives verdict and digits; else the verdict is 'late'.
local function once(key, field, caller, number, now, change, holds)
  local known, kept, at = server.call('HGET', key, field) or '', {}, 1
  local verdict, digits = nil, nil
  while true do
    local first, last, who, upto, since, told, figures = string.find(known, '(%x+) (%d+) (%d+) (%a+) (%d*);', at)
    if not first then break end
    at = last + 1
    if who == caller and tonumber(number) <= tonumber(upto) then
      verdict, digits = told, figures
      if tonumber(number) < tonumber(upto) then verdict = 'late' end
    elseif who ~= caller and now - tonumber(since) * 1000 < CALLER_LIFE_MS then
      kept[#kept + 1] = string.sub(known, first, last)
    end
  end
  if verdict then
    server.call('HSET', key, field, known)
    if verdict == 'late' then
      local held, figures = holds()
      if held then return held, figures end
    end
    return verdict, digits
  end
  verdict, digits = change()
  if #kept >= MAX_CALLERS then table.remove(kept, 1) end
  kept[#kept + 1] = caller .. ' ' .. number .. ' ' .. text(math.floor(now / 1000)) .. ' ' .. verdict .. ' ' .. digits .. ';'
  server.call('HSET', key, field, table.concat(kept))
  return verdict, digits
end
`;
