#!lua flags=allow-oom
-- Frees a lock, if the caller has its token, and wakes the first who waits.
--
-- KEYS  1 lock
-- Touches  queue queue:turn request
-- Arguments
--   token    the current one
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms that the turn of the next waiter lasts (0 if nobody waits)}
--   {'replayed'}  released before, by the same Idempotency-Key
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  held under another token
--   {'reused'}    the Idempotency-Key came before with another request

--- include keys
--- plain
-- Mostly nobody waits, and nobody wants the release to be remembered.
if req.request or redis.call('EXISTS', beside(lock, 'queue')) == 1 then return nil end
local current = redis.call('HGET', lock, 'token')
if not current then return {'missing'} end
if current ~= req.token then return {'mismatch'} end
redis.call('DEL', lock)
return {'released', 0}

--- decide
--- include record
--- include turn
--- include holders
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other
if request then seen, other = record.recall(request, req.print) end
if other then return {'reused'} end
if seen then return {'replayed'} end

local current = redis.call('HGET', lock, 'token')
if not current then return {'missing'} end
if current ~= req.token then return {'mismatch'} end

holders.remove(lock)
if request then record.write(request, {outcome = 'released', print = req.print}, WINDOW) end
return {'released', turn.give(lock)}
