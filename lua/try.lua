#!lua
-- Grants a lock if nobody holds it and no earlier request waits for it. Otherwise queues the request, if it wants to
-- wait. This is the first call of an attempt; a waiter goes on with claim.lua.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request queue:replaces
-- Arguments
--   id        of the attempt, and of the grant that it gets
--   token     that the lock gets
--   owner     a name, for people
--   metadata  a JSON list
--   lease     ms
--   request   the name of the record: the Idempotency-Key, or without one the id
--   print     fingerprint of the request, only with an Idempotency-Key
--   wait      how long to wait from now (ms), absent if the request doesn't wait
--   channel   over which messages reach this replica
--   rank      what is special about the request, as in lib/rank.lua; absent if nothing is
--   by        the identity that takes the lock, absent if no key is demanded
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  this Idempotency-Key was granted the lock before
--   {'queued', arrived, fence of the holder (0 if the lock is free), ms until a claim may succeed unless woken before}
--   {'shared'}     a group holds the lock; nothing was changed, and join.lua decides
--   {'held', owner, fence, ttl (ms), waiting, position (0 if it has none)}
--   {'reserved', waiting, position}  nobody holds the lock, but others wait for it
--   {'recovering', ms until grants are made again, waiting, position}  nobody holds the lock, unless Redis lost a grant
--   {'unsettled', ms until grants are made again}  this Idempotency-Key was granted the lock before, but Redis may have
--                  lost the end of that grant
--   {'replaced'}  a later request with the same value of `replaces` has taken its place
--   {'full', waiting}  the queue has no more room
--   {'over', locks}  the identity holds as many locks as it may
--   {'gone'}       this Idempotency-Key was granted the lock before, and that lease has ended since
--   {'reused'}     this Idempotency-Key came before with another request
--   {'cancelled'}  this attempt was cancelled before it arrived

--- include grant
--- include stream
--- constant GRACE
--- plain
-- The usual case: the lock is free, nobody waits, Redis has no record of the request, and need not keep one.
if GRACE ~= '0' or print or rank and rank[3] then return nil end
local queue, record = beside(lock, 'queue'), beside(lock, 'request:' .. request)
local found = redis.call('EXISTS', lock, queue, record, STREAM or lock)
-- Of the four only the stream may be there: then somebody listens.
if found > 0 and (found > 1 or not STREAM or redis.call('EXISTS', lock, queue, record) > 0) then return nil end
local reply, last = grant(lock, id, token, owner, metadata, lease, by)
if found > 0 then
  noted = noted or {}
  noted[#noted + 1] = cmsgpack.pack(13, 'granted', lock, reply[3], id, owner, reply[2], whole(reply[3] + lease), nil,
    last or nil, #metadata <= 256 and metadata or nil, nil, nil, by)
end
return reply

--- decide
--- include acquire
local seen = acquire_remembered(lock, req, false) or acquire_replaced(lock, req)
if seen then return seen end
acquire_dismiss(lock, req, function(place) acquire_leave(lock, place, 'superseded') end)
local block, others_wait = acquire_blocks(lock, req)
if not block then return acquire_granted(lock, req, others_wait) end
if acquire_meets_group(block) then return {'shared'} end
if req.wait then return acquire_queued(lock, req, block) end
return acquire_refused(lock, req, block)
