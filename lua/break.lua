#!lua flags=allow-oom
-- Frees a lock without its token, because its holder is gone, and wakes the first waiter. With a grace the holder keeps the
-- lock for so long, and can't extend it.
--
-- KEYS  1 lock
-- Touches  queue queue:turn request broken
-- Arguments
--   fence    of the grant to end, as text; absent to end any grant
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
--   grace    ms that the holder may keep the lock; absent to end it at once
--   by       the name of who breaks it, absent if nobody knows
--   reason   why, absent if nobody says
-- Replies
--   {'broken', id, owner, fence, ms that the turn of the next waiter lasts (0 if nobody waits)}
--   {'breaking', id, owner, fence, ttl (ms), ms after which a replica must look after the next waiter (0 if nobody waits)}
--   {'replayed', id, owner, fence, ttl (ms)}  this Idempotency-Key has broken the lock before; the ttl is 0 if the grant has
--                  ended
--   {'missing'}                     nobody holds the lock
--   {'shared'}                      a group holds the lock: shared_break.lua decides
--   {'changed', owner, fence, ttl (ms)}  a grant with another fence holds the lock
--   {'reused'}                      this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include broken
--- include turn
--- include holders/find
--- include holders/remove
--- include holders/shorten
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
if seen then
  local holds = redis.call('HGET', lock, 'fence') == seen.fence and is_holder(lock, seen.id)
  return {'replayed', seen.id, seen.owner, seen.fence, holds and redis.call('PTTL', lock) or 0}
end

local id, owner, fence, token = unpack(redis.call('HMGET', lock, 'id', 'owner', 'fence', 'token'))
if not id and redis.call('EXISTS', lock) == 1 then return {'shared'} end
if not id then return {'missing'} end
if req.fence and req.fence ~= fence then return {'changed', owner, fence, redis.call('PTTL', lock)} end

if request then
  record_write(request, {outcome = 'broken', print = req.print, id = id, owner = owner, fence = fence}, WINDOW)
end
broken_note(lock, token, req.by, req.reason)
if req.grace then
  redis.call('HSET', lock, 'breaking', '1')
  local left, look_in = shorten(lock, req.grace, fence)
  local on = recorded()
  if on then on.note('extended', lock, id, owner, fence, whole(now_ms() + left), 'broken', req.by, req.reason) end
  return {'breaking', id, owner, fence, left, look_in}
end
remove_holder(lock, 'broken', req.by, req.reason)
return {'broken', id, owner, fence, turn_give(lock)}
