#!lua flags=allow-oom
-- Takes a holder out of the group that shares a lock, without its token, because it is gone; and calls waiters that fit now.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders request told broken
-- Arguments
--   fence    of the holder, as text; absent if the request names none
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
--   grace    ms that the holder may keep its part; absent to end it at once
--   by       the name of who breaks it, absent if nobody knows
--   reason   why, absent if nobody says
-- Replies
--   {'broken', id, owner, fence, ms that the turn of a waiter lasts (0 if nobody has it)}
--   {'breaking', id, owner, fence, ttl (ms), ms after which a replica must look after the next waiter (0 if nobody waits)}
--   {'replayed', id, owner, fence, ttl (ms)}  this Idempotency-Key has broken the lock before; the ttl is 0 if the grant has
--                  ended
--   {'missing'}                     nobody holds the lock
--   {'changed', owner, fence, ttl (ms)}  no holder has this fence; the values are of the holder that ends last
--   {'unnamed', permits that the holders have, limit, how many holders there are}  the request names no fence
--   {'reused'}                      this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include broken
--- include group/call
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end

local group = group_open(lock)
if seen then
  local holder, ends = holder_live(lock, seen.id)
  local holds = holder and holder.fence == seen.fence
  return {'replayed', seen.id, seen.owner, seen.fence, holds and ends - now_ms() or 0}
end
if not group then return {'missing'} end
if not req.fence then return {'unnamed', group.used, group.limit, group_count(lock)} end

-- The holder with this fence. Of the names of fields, only an id has a '-'.
local id, holder, ends
local fields = redis.call('HGETALL', lock)
for index = 1, #fields, 2 do
  local may_be = string.find(fields[index], '-', 1, true)
    and string.find(fields[index + 1], ' ' .. req.fence .. ' ', 1, true)
  local one, its_end
  if may_be then one, its_end = holder_live(lock, fields[index]) end
  if one and one.fence == req.fence then id, holder, ends = fields[index], one, its_end end
end
if not id then
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  return {'changed', owner, fence, redis.call('PTTL', lock)}
end

if request then
  local record = {outcome = 'broken', print = req.print, id = id, owner = holder.owner, fence = holder.fence}
  record_write(request, record, WINDOW)
end
broken_note(lock, id .. '.' .. holder.secret, req.by, req.reason)
if req.grace then
  holder_settle(lock, id, 'breaking')
  local left, look_in = group_shorten(lock, group, id, holder.permits, ends, req.grace)
  local on = recorded()
  if on then
    on.note('extended', lock, id, holder.owner, holder.fence, whole(now_ms() + left), 'broken', req.by, req.reason)
  end
  group_changed(lock, group)
  return {'breaking', id, holder.owner, holder.fence, left, look_in}
end
group_remove(lock, group, id, holder, 'broken', req.by, req.reason)
return {'broken', id, holder.owner, holder.fence, group_changed(lock, group)}
