#!lua flags=allow-oom
-- Gives a lock back for later, if the caller has its token: the lock ends after a time, and nobody can extend or release it
-- until then, because it gets a token that nobody knows.
--
-- KEYS  1 lock
-- Touches  queue request
-- Arguments
--   token      the current token
--   new_token  that nobody knows
--   after      ms after which the lock ends, unless its lease ends before
--   request    the Idempotency-Key, if there is one
--   print      fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms after which a replica must look after the next waiter (0 if nobody waits), created (ms since 1970)}
--   {'replayed'}  this Idempotency-Key has given the lock back before
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include holders/shorten
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
if seen then return {'replayed'} end

local current, fence, id, owner, created = unpack(redis.call('HMGET', lock, 'token', 'fence', 'id', 'owner', 'created'))
if not fence then return {'missing'} end
-- A group has no token of this kind.
if current ~= req.token then return {'mismatch'} end

redis.call('HSET', lock, 'token', req.new_token, 'released', '1')
if request then record_write(request, {outcome = 'released', print = req.print}, WINDOW) end
local left, look_in = shorten(lock, req.after, fence)
local on = recorded()
if on then on.note('extended', lock, id, owner, fence, whole(now_ms() + left), 'released') end
return {'released', look_in, created}
