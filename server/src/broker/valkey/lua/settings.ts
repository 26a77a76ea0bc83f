/**
 * Lua: what was set at run time, one hash: `v` the version; `<app>/<namespace>` to '1' and the encoded namespace, or '0' if it was removed;
 * `app:<app>` to an encoded app; `n` the nonce of the last change of an app, by which its repeat is recognised; `!` who has set something lately, see
 * `once.ts`. Releases before the second version of
 * these functions take fields that begin with `app:` for settings of an app that cannot exist.
 */
export const settingsFunctions = `
-- Arguments: is cluster, caller, number, field, value. Answers '<ok or late> <mark> <version>'.
local function settings_set(keys, args)
  local verdict, version = once(keys[1], '!', args[2], args[3], now_ms(), function()
    local next = text(next_version(server.call('HGET', keys[1], 'v')))
    server.call('HSET', keys[1], args[4], args[5], 'v', next)
    return 'ok', next
  end)
  return verdict .. ' ' .. mark(args[1]) .. ' ' .. version
end

-- Carries out a change that is based on a version. Answers 'ok <mark> <version>', or 'stale <mark> <version>' if there is a newer one.
local function change_settings(key, args, change)
  local version, nonce = unpack(server.call('HMGET', key, 'v', 'n'), 1, 2)
  version = version or '0'
  local verdict = 'ok'
  if nonce == args[2] then
    write_nothing(key)
  elseif version ~= args[3] then
    verdict = 'stale'
    write_nothing(key)
  else
    change()
    version = text(next_version(version))
    server.call('HSET', key, 'v', version, 'n', args[2])
  end
  return verdict .. ' ' .. mark(args[1]) .. ' ' .. version
end

-- Arguments: is cluster, nonce, version it is based on, app, definition. Answers as change_settings.
local function settings_put_app(keys, args)
  return change_settings(keys[1], args, function()
    server.call('HSET', keys[1], 'app:' .. args[4], args[5])
  end)
end

-- Arguments: is cluster, nonce, version it is based on, app, '1' with what was set in it and '0' without. Answers as change_settings.
local function settings_delete_app(keys, args)
  return change_settings(keys[1], args, function()
    local prefix = args[4] .. '/'
    local fields = { 'app:' .. args[4] }
    for _, field in ipairs(server.call('HKEYS', keys[1])) do
      if args[5] == '1' and string.sub(field, 1, #prefix) == prefix then fields[#fields + 1] = field end
    end
    for first = 1, #fields, 1000 do server.call('HDEL', keys[1], unpack(fields, first, math.min(first + 999, #fields))) end
  end)
end
`;
