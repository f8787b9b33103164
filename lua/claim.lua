#!lua
-- Asks again for a lock, for an attempt that waits for it: a message woke the attempt, the lease of the holder has
-- ended, a reply was lost, or the wait is over.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request
-- Arguments
--   id        of the attempt, and of the grant that it gets
--   token     that the lock gets
--   owner     a name, for people
--   metadata  a JSON list
--   lease     ms
--   request   the name of the record: the Idempotency-Key, or without one the id
--   print     fingerprint of the request, only with an Idempotency-Key
--   wait      how long to wait from now (ms), absent if the wait is over
--   channel   over which messages reach this replica
--   arrived   when the attempt joined the queue, absent if the reply with this time was lost
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  this Idempotency-Key was granted the lock before
--   {'queued', arrived, fence of the holder (0 if the lock is free), ms until a claim may succeed unless woken before}
--   {'superseded'}  a copy with the same Idempotency-Key has taken the place over
--   {'held', owner, fence, ttl (ms), waiting, position (0 if it has none)}
--   {'reserved', waiting, position}  nobody holds the lock, but others wait for it
--   {'recovering', ms until grants are made again, waiting, position}  nobody holds the lock, unless Redis lost a grant
--   {'unsettled', ms until grants are made again}  this Idempotency-Key was granted the lock before, but Redis may have
--                  lost the end of that grant
--   {'full', waiting}  the queue has no more room
--   {'gone'}       this Idempotency-Key was granted the lock before, and that lease has ended since
--   {'reused'}     this Idempotency-Key came before with another request
--   {'cancelled'}  this attempt was cancelled before it arrived

--- decide
--- include acquire
local seen = acquire.remembered(lock, req, req.wait)
if seen then return seen end
local block, others_wait = acquire.blocks(lock, req)
if not block then return acquire.granted(lock, req, others_wait) end
if req.wait then return acquire.queued(lock, req, block) end
-- The wait is over. With an Idempotency-Key the record keeps the place for a while.
local key = beside(lock, 'queue')
local rank, waiting = redis.call('ZRANK', key, req.named), redis.call('ZCARD', key)
redis.call('ZREM', key, req.own)
if req.arrived and req.named == req.own then
  acquire.note(req, {outcome = 'waiting', arrived = whole(req.arrived), place = req.own}, PLACE_KEPT)
end
return acquire.refused(lock, req, block, waiting, rank and rank + 1 or 0)
