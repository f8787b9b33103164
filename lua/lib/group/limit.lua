--- include group/call
--- constant LONGEST_ATTEMPT
-- The limit of a resource: how many permits all holders of its shared lock may have. It is in force while a group holds
-- the lock or a shared request waits, or while it is pinned. The key `limit` is
--   'pinned <limit>'  until it is unpinned
--   '<limit>'         what the shared requests in the queue have named, or 'none'; a hint, which saves a look at the queue

-- The pinned limit, or nothing. The second result is the hint.
local function limit_pinned(lock)
  local text = redis.call('GET', beside(lock, 'limit'))
  local pinned = text and string.match(text, '^pinned (.+)$')
  return pinned, not pinned and text
end

-- Notes the limit that a request in the queue has named.
local function limit_note(lock, limit)
  if not limit_pinned(lock) then redis.call('SET', beside(lock, 'limit'), limit, 'PX', LONGEST_ATTEMPT) end
end

-- The limit that a shared request in the queue has named, or nothing.
local function limit_waiting(lock, hint, wanted)
  local key = beside(lock, 'queue')
  local waiting = redis.call('ZCARD', key)
  if waiting == 0 or hint == wanted then return waiting > 0 and hint or nil end
  for from = 0, waiting - 1, 256 do
    for _, place in ipairs(redis.call('ZRANGE', key, from, from + 255)) do
      local permits, limit = place_share(place)
      if permits then return limit ~= '' and limit or 'none' end
    end
  end
end

-- The limit for a request that takes so many permits and has named a limit ('' for none); or nothing and, as the second
-- result, the limit that is in force. Whoever has a place may keep it when the limit changes.
local function limit_for(lock, group, permits, named, has_place)
  local pinned, hint = limit_pinned(lock)
  local wanted = named ~= '' and named or pinned or 'none'
  local limit = pinned or group and group.limit or limit_waiting(lock, hint, wanted) or wanted
  if limit ~= wanted and not has_place or limit ~= 'none' and permits > tonumber(limit) then return nil, limit end
  return limit
end
