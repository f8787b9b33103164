#!lua flags=allow-oom
-- Tells that a lease has ended, once, if it has. All replicas that have listeners ask this of each lease that should have
-- ended, and Redis decides which of them tells it.
--
-- KEYS  1 lock
-- Touches  fence holders told
-- Arguments
--   id       of the grant
--   owner    of the grant
--   fence    of the grant, as text
--   created  when it was granted (ms since 1970); absent if nobody knows
--   ended    when its lease ended, as the replica has read (ms since 1970)
--   latest   the last fence of the lock that the replica has read of, as text
--   floor    of the group that shares the lock, as text; absent if the grant has the lock alone
--   kind     how it ends: 'expired'; 'released' or 'broken' if that was settled before
--   by       the name of who broke it, absent if nobody knows
--   reason   why, absent if nobody said
-- Replies
--   {'ended'}      told with this call
--   {'told'}       told before
--   {'held', ms}   the lease lasts for so long, or would if nothing had ended it
--   {'superseded'} there was a grant since that the replica has not read of

--- decide
--- include events
--- include group/holder
--- include now
local current, mode, floor = unpack(redis.call('HMGET', lock, 'id', 'mode', 'floor'))
if current == req.id then return {'held', redis.call('PTTL', lock)} end
if mode then
  local _, ends = holder_live(lock, req.id)
  if ends then return {'held', ends - now_ms()} end
end
-- In the same group no other grant has ended this one.
if not (mode and floor == req.floor) then
  local last = redis.call('GET', beside(lock, 'fence'))
  if current or last and last ~= req.latest then return {'superseded'} end
end
-- It has ended before its time, so something else has ended it, which the replica reads of next. This happens if the clock
-- of Redis was set back: then replicas ask too early.
local left = req.ended - now_ms()
if left > 0 then return {'held', left} end
local on = recorded()
-- Nobody listens any more.
if not on then return {'told'} end
local is_new
if req.kind == 'expired' then is_new = on.expired(lock, req, req.ended)
else is_new = on.expired(lock, req, req.ended, req.kind, req.by, req.reason) end
if is_new then return {'ended'} end
return {'told'}
