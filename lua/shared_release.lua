#!lua flags=allow-oom
-- Takes a holder out of the group that shares a lock, if the caller has its token, and calls waiters that fit now.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders request
-- Arguments
--   id       of the holder, from its token
--   secret   of the holder, from its token
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms that the turn of a waiter lasts (0 if nobody has the turn)}
--   {'replayed'}  this Idempotency-Key has released the lock before
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has no holder with this token
--   {'reused'}    this Idempotency-Key came before with another request

--- decide
--- include record
--- include group/call
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
if seen then return {'replayed'} end

local group = group_open(lock)
if not group and redis.call('EXISTS', lock) == 0 then return {'missing'} end
local holder = group and holder_live(lock, req.id)
if not holder or holder.secret ~= req.secret then return {'mismatch'} end

group_remove(lock, group, req.id, holder.permits)
local turn = group_changed(lock, group)
if request then record_write(request, {outcome = 'released', print = req.print}, WINDOW) end
return {'released', turn}
