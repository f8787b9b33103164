#!lua flags=allow-oom
-- Takes a holder out of the group that shares a lock, if the caller has its token, and calls waiters that fit now.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders request told
-- Arguments
--   id       of the holder, from its token
--   secret   of the holder, from its token
--   new_secret  that nobody knows, to release later; absent to release at once
--   after    to release later: ms after which the part of the holder ends, unless its lease ends before
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms that the turn of a waiter lasts (0 if nobody has the turn); to release later, ms after which a replica
--                  must look after the next waiter (0 if nobody waits); created (ms since 1970)}
--   {'replayed'}  this Idempotency-Key has released the lock before
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has no holder with this token
--   {'reused'}    this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include group/call
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
if seen then return {'replayed'} end

local group = group_open(lock)
if not group and redis.call('EXISTS', lock) == 0 then return {'missing'} end
local holder, ends
if group then holder, ends = holder_live(lock, req.id) end
if not holder or holder.secret ~= req.secret then return {'mismatch'} end

if request then record_write(request, {outcome = 'released', print = req.print}, WINDOW) end
if req.after then
  holder.secret = req.new_secret
  holder_write(lock, req.id, holder)
  holder_settle(lock, req.id, 'released')
  local left, look_in = group_shorten(lock, group, req.id, holder.permits, ends, req.after)
  local on = recorded()
  if on then on.note('extended', lock, req.id, holder.owner, holder.fence, whole(now_ms() + left), 'released') end
  group_changed(lock, group)
  return {'released', look_in, holder.created}
end
group_remove(lock, group, req.id, holder, 'released')
return {'released', group_changed(lock, group), holder.created}
