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
--   {'missing'}                     nobody holds the lock
--   {'changed', owner, fence, ttl (ms)}  no holder has this fence; the values are of the holder that ends last
--   {'unnamed', permits that the holders have, limit, how many holders there are}  the request names no fence

--- decide
--- include record
--- include group/call
--- constant WINDOW
local group = group_open(lock)
if not group then return {'missing'} end
local key = beside(lock, 'holders')
if not req.fence then return {'unnamed', group.used, group.limit, redis.call('ZCARD', key)} end

local id, holder
local fields = redis.call('HGETALL', lock)
for index = 1, #fields, 2 do
  if string.find(fields[index], '-', 1, true) then
    local one = holder_parse(fields[index + 1])
    if one.fence == req.fence then id, holder = fields[index], one end
  end
end
if not id then
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  return {'changed', owner, fence, redis.call('PTTL', lock)}
end

group_remove(lock, group, id, holder.permits)
local turn = group_changed(lock, group)
if req.request then
  record_write(beside(lock, 'request:' .. req.request),
    {outcome = 'broken', print = req.print, id = id, owner = holder.owner, fence = holder.fence}, WINDOW)
end
return {'broken', id, holder.owner, holder.fence, turn}
