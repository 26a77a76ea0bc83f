/**
 * Lua: what was set at run time, one hash: `v` the version; `<app>/<namespace>` to '1' and the encoded namespace, or '0' if one of the app's definition was removed;
 * `app:<app>` to an encoded app; `n` the nonce of the last change of an app, by which its repeat is recognised; `!` who has set something lately, see
 * `once.ts`. Releases before the second version of
 * these functions take fields that begin with `app:` for settings of an app that cannot exist.
 */
export const settingsFunctions = `
-- Whether a value of a field of a namespace would be more than its app, or all apps, may have; nil: it would not.
-- Bounds: fields of an app, bytes of fields and values of an app, of all apps.
local function excess(key, app, field, value, bounds)
  local fields, bytes, all = 1, #field + #value, #field + #value
  local found = server.call('HGETALL', key)
  for i = 1, #found, 2 do
    local slash = string.find(found[i], '/', 1, true)
    if slash and found[i] ~= field and string.sub(found[i], 1, 4) ~= 'app:' then
      local size = #found[i] + #found[i + 1]
      all = all + size
      if string.sub(found[i], 1, slash - 1) == app then
        fields, bytes = fields + 1, bytes + size
      end
    end
  end
  if fields > tonumber(bounds[1]) or bytes > tonumber(bounds[2]) then return 'full' end
  if all > tonumber(bounds[3]) then return 'crowded' end
  return nil
end

-- Arguments: is cluster, caller, number, app, namespace, value or '' for none, and the bounds of excess. What does not grow is never refused, so that
-- whoever has too much can come back. Answers '<ok, full, crowded or late> <mark> <version>'.
local function settings_set(keys, args)
  local key, field, value = keys[1], args[4] .. '/' .. args[5], args[6]
  local verdict, version = once(key, '!', args[2], args[3], now_ms(), function()
    local version, former = unpack(server.call('HMGET', key, 'v', field), 1, 2)
    local refusal = #value > #(former or '') and excess(key, args[4], field, value, { unpack(args, 7, 9) })
    if refusal then return refusal, version or '0' end
    if value == '' and not former then return 'ok', version or '0' end
    version = text(next_version(version))
    if value == '' then server.call('HDEL', key, field) else server.call('HSET', key, field, value) end
    server.call('HSET', key, 'v', version)
    return 'ok', version
  end, function()
    local version, there = unpack(server.call('HMGET', key, 'v', field), 1, 2)
    if (there or '') == value then return 'ok', version or '0' end
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
