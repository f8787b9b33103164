#!lua
-- Grants all locks of a set if nothing is in the way of any of them, and otherwise none: in one step, where one server has
-- all of them. If something is in the way and the set waits, the replica takes the parts one after another (docs/internals/sets.md).
--
-- KEYS  1 lock of the first part   2 incarnation, only with a grace; behind it the locks of the other parts
-- Touches  fence queue queue:turn request
-- Arguments
--   ids       of the attempts, one for each part, and of the grants that they get
--   tokens    that the locks get
--   owner     a name, for people
--   metadata  a JSON list
--   lease     ms
--   request   the Idempotency-Key, if there is one
--   print     fingerprint of the request, only with an Idempotency-Key
--   channel   over which messages reach this replica
--   by        the identity that takes the locks, absent if no key is demanded
-- Replies
--   {'granted', created (ms since 1970), fence of the first part, fence of the second part, ...}
--   {'blocked', which part (from 1), ...}  nothing was granted; behind that what try.lua replies to this part
--   {'unsure', which part}  nothing was granted: Redis has a record of this request or a mark of its cancellation, or
--                           the part has several holders. So try.lua decides the parts

--- decide
--- include acquire
--- include number
local parts, fences = {}, {}
local behind_first = GRACE ~= '0' and 2 or 1
for index, id in ipairs(req.ids) do
  local key = index == 1 and lock or KEYS[behind_first + index - 1]
  local part = {
    lock = key, id = id, token = req.tokens[index], owner = req.owner, metadata = req.metadata, lease = req.lease,
    request = req.request or id, print = req.print, channel = req.channel, by = req.by,
  }
  part.record, part.own, part.cancelled = beside(key, 'request:' .. part.request), place_of(part), {}
  part.named = part.own
  if redis.call('EXISTS', part.record) == 1 or redis.call('HGET', key, 'mode') then return {'unsure', index} end
  local block = acquire_blocks(key, part)
  if block then return {'blocked', index, unpack(acquire_refused(key, part, block))} end
  parts[index] = part
end

-- The set is committed with this: there is nothing between the grant of its first part and the commit of its last.
local _, created = clock()
for index, part in ipairs(parts) do
  part.ends = whole(created + req.lease)
  fences[index] = acquire_granted(part.lock, part)[2]
end
return {'granted', created, unpack(fences)}
