#!lua flags=no-writes
-- Tells the holders of a shared lock; or, for a token, its holder alone. Never tells a token.
--
-- KEYS  1 lock
-- Touches  queue holders
-- Arguments
--   id      of the holder to tell, from a token; absent to tell all
--   secret  from the same token
--   most    how many holders to tell at most, those first that end last
-- Replies
--   {'group', waiting, permits that the holders have, limit, how many holders there are, how many follow, and of each:
--    id, owner, metadata, fence, created, updated, expires (all ms since 1970), ttl (ms), permits,
--    breaking (1 if somebody breaks its grant and has left it a grace, else 0),
--    by (the identity that took its part, '' if none is known)}
--   {'own', id, owner, metadata, fence, created, updated, expires, ttl, permits, limit, floor, by}  the token's holder
--   {'mismatch'}  the lock has no holder with this token
--   {'missing'}   nobody holds the lock
--   {'alone'}     the lock has one holder, of another mode: inspect.lua tells it

--- decide
--- include keys
--- include now
--- include number
--- include group/holder
local mode, owner, used, limit, floor = unpack(redis.call('HMGET', lock, 'mode', 'owner', 'used', 'limit', 'floor'))
if not owner then return {'missing'} end
if not mode then return {'alone'} end
local key, now = beside(lock, 'holders'), now_ms()

local function told(id, holder, expires)
  return {id, holder.owner, holder.metadata, holder.fence, holder.created, holder.updated, expires, expires - now,
    holder.permits}
end

if req.id then
  local holder, expires = holder_live(lock, req.id)
  if not holder or holder.secret ~= req.secret then return {'mismatch'} end
  local one = told(req.id, holder, expires)
  one[#one + 1], one[#one + 2], one[#one + 3] = limit, floor, redis.call('HGET', lock, req.id .. '@') or ''
  return {'own', unpack(one)}
end

-- Leases may have ended of holders that no other script has taken out yet.
used = tonumber(used)
local ended = redis.call('ZRANGEBYSCORE', key, '-inf', whole(now))
for _, member in ipairs(ended) do used = used - string.match(member, '%d+$') end
local count = redis.call('ZCARD', key) - #ended
if count == 0 then return {'missing'} end
local function group_reply(shown)
  return {'group', redis.call('ZCARD', beside(lock, 'queue')), whole(used), limit, count, shown}
end
local shown = math.min(count, req.most)
local last = shown == 0 and {} or redis.call('ZRANGE', key, -shown, -1, 'WITHSCORES')
local reply = group_reply(#last / 2)
for index = #last - 1, 1, -2 do
  local id = string.match(last[index], '^%S+')
  for _, value in ipairs(told(id, holder_read(lock, id), last[index + 1])) do reply[#reply + 1] = value end
  local settled, by = unpack(redis.call('HMGET', lock, id .. '!', id .. '@'))
  reply[#reply + 1], reply[#reply + 2] = settled == 'breaking' and 1 or 0, by or ''
end
return reply
