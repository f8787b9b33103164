#!lua flags=allow-oom
-- Frees a lock, if the caller has its token, and wakes the first waiter.
--
-- KEYS  1 lock
-- Touches  queue queue:turn request
-- Arguments
--   token    the current token
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms that the turn of the next waiter lasts (0 if nobody waits), created (ms since 1970)}
--   {'replayed'}  this Idempotency-Key has released the lock before
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- include keys
--- include stream
--- plain
-- The usual case: nobody waits, and Redis need not keep a record of the release.
if request then return nil end
local queue = beside(lock, 'queue')
local found = redis.call('EXISTS', queue, STREAM or queue)
-- Of the two only the stream may be there: then somebody listens.
if found > 0 and (found > 1 or not STREAM or redis.call('EXISTS', queue) > 0) then return nil end
local current, created = unpack(redis.call('HMGET', lock, 'token', 'created'))
if not current and redis.call('EXISTS', lock) == 0 then return {'missing'} end
if current ~= token then return {'mismatch'} end
if found > 0 then
  local held, time = redis.call('HMGET', lock, 'id', 'owner', 'fence'), redis.call('TIME')
  local ms = time[1] .. string.sub('00000' .. time[2], -6, -4)
  noted = noted or {}
  noted[#noted + 1] = cmsgpack.pack(7, 'released', lock, ms, held[1], held[2], held[3], math.max(0, ms - created))
end
redis.call('DEL', lock)
return {'released', 0, created}

--- decide
--- include released
--- include turn
local reply = released(lock, req)
if reply[1] == 'released' then reply[2] = turn_give(lock) end
return reply
