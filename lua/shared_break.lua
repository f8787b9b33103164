#!lua flags=allow-oom
-- Takes a holder out of the group that shares a lock, without its token, because it is gone; and calls waiters that fit now.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders request
-- Arguments
--   fence    of the holder, as text; absent if the request names none
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'broken', id, owner, fence, ms that the turn of a waiter lasts (0 if nobody has it)}
--   {'replayed', id, owner, fence}  this Idempotency-Key has broken the lock before
--   {'missing'}                     nobody holds the lock
--   {'changed', owner, fence, ttl (ms)}  no holder has this fence; the values are of the holder that ends last
--   {'unnamed', permits that the holders have, limit, how many holders there are}  the request names no fence
--   {'reused'}                      this Idempotency-Key came before with another request

--- decide
--- include record
--- include group/call
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
if seen then return {'replayed', seen.id, seen.owner, seen.fence} end

local group = group_open(lock)
if not group then return {'missing'} end
if not req.fence then return {'unnamed', group.used, group.limit, group_count(lock)} end

-- The holder with this fence. Of the names of fields, only an id has a '-'.
local id, holder
local fields = redis.call('HGETALL', lock)
for index = 1, #fields, 2 do
  local may_be = string.find(fields[index], '-', 1, true)
    and string.find(fields[index + 1], ' ' .. req.fence .. ' ', 1, true)
  local one = may_be and holder_live(lock, fields[index])
  if one and one.fence == req.fence then id, holder = fields[index], one end
end
if not id then
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  return {'changed', owner, fence, redis.call('PTTL', lock)}
end

group_remove(lock, group, id, holder.permits)
local turn = group_changed(lock, group)
if request then
  local record = {outcome = 'broken', print = req.print, id = id, owner = holder.owner, fence = holder.fence}
  record_write(request, record, WINDOW)
end
return {'broken', id, holder.owner, holder.fence, turn}
