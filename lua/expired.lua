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
--   ends     when its lease ended, as the replica has read (ms since 1970)
--   latest   the last fence of the lock that the replica has read of, as text
--   floor    of the group that shares the lock, as text; absent if the grant has the lock alone
--   kind     how it ends: 'expired'; 'released' or 'broken' if that was settled before
--   by       the name of who broke it, absent if nobody knows
--   reason   why, absent if nobody said
-- Replies
--   {'ended'}      told with this call
--   {'told'}       told before
--   {'held', ms}   the lease lasts for so long
--   {'superseded'} there was a grant since that the replica has not read of

--- decide
--- include keys
--- include events
--- include group/holder
-- How long it is remembered that the end was told (ms).
local REMEMBERED = '60000'
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
local told = beside(lock, 'told')
if redis.call('SADD', told, req.fence) == 0 then return {'told'} end
redis.call('PEXPIRE', told, REMEMBERED)
if recorded() then
  local held = req.created and math.max(0, req.ends - req.created)
  if req.kind == 'expired' then note('expired', lock, req.id, req.owner, req.fence, held or nil, req.ends)
  else note(req.kind, lock, req.id, req.owner, req.fence, held or nil, req.by, req.reason) end
end
return {'ended'}
