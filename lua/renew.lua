#!lua flags=allow-oom
-- Renews the leases of many locks, whose holders keep their tokens, in one step: what a heartbeat of all locks of a client asks
-- for. It does what extend.lua does, where nothing but the current token is there to look at, and leaves each other lock, whose
-- keys it does not change, to extend.lua.
--
-- KEYS  1 lock   behind it the other locks
-- Touches  nothing
-- Arguments
--   lease   ms, the same for all
--   tokens  the current tokens, one for each lock
-- Replies
--   {'renewed', updated (ms since 1970), which lock was left (from 1), ...}  all others end `lease` ms after `updated`

--- decide
--- include number
--- include now
--- include events
local HOUR = 3600000
local _, ms = clock()
local now = now_ms()
local ends, hour = whole(now + req.lease), now - now % HOUR
local on, left = recorded(), {}
for index, token in ipairs(req.tokens) do
  local key = KEYS[index]
  -- In place of these values there may be an error, because the key is something else than a lock.
  local held = redis.pcall('HMGET', key, 'token', 'breaking', 'updated', 'renewals')
  local updated, renewals = tonumber(held[3]), tonumber(held[4] or 0)
  -- Redis keeps the last fence for a day from an acquire and from an extend. Here that is put off: the first renewal of each
  -- hour is left to extend.lua. With GT no lease becomes shorter.
  if held[1] == token and not held[2] and updated and updated >= hour and renewals
    and redis.call('PEXPIREAT', key, ends, 'GT') == 1 then
    redis.call('HSET', key, 'updated', ms, 'renewals', renewals + 1)
    if on then
      local id, owner, fence = unpack(redis.call('HMGET', key, 'id', 'owner', 'fence'))
      on.note('extended', key, id, owner, fence, ends)
    end
  else
    left[#left + 1] = index
  end
end
return {'renewed', ms, unpack(left)}
