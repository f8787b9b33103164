--- include keys
--- include clock
-- The grants of a lock that were broken: the hash `broken`. A field is the SHA-1 of the token that a grant had, and its value a
-- JSON list of strings: when it was broken (ms since 1970), by whom and why, '' where nobody says. So only a holder that
-- comes with the token of its own grant is told, and Redis keeps no token of it.

-- How long they are kept after the last break: longer than a lease of a day (ms).
local BROKEN_KEPT = '90000000'
-- How many are kept of a lock.
local MOST_BROKEN = 64

-- Notes that the grant with this token is broken.
local function broken_note(lock, token, by, reason)
  local key, _, ms = beside(lock, 'broken'), clock()
  redis.call('HSET', key, redis.sha1hex(token), cjson.encode({ms, by or '', reason or ''}))
  redis.call('PEXPIRE', key, BROKEN_KEPT)
  local all, oldest, since = redis.call('HGETALL', key), nil, math.huge
  if #all / 2 <= MOST_BROKEN then return end
  for index = 1, #all, 2 do
    local at = tonumber(cjson.decode(all[index + 1])[1])
    if at < since then oldest, since = all[index], at end
  end
  redis.call('HDEL', key, oldest)
end
