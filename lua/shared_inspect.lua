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
--     id, owner, metadata, fence, created, updated, expires (all ms since 1970), ttl (ms), permits}
--   {'own', id, owner, metadata, fence, created, updated, expires, ttl, permits, limit, floor}  the token's holder
--   {'mismatch'}  the lock has no holder with this token
--   {'missing'}   nobody holds the lock
--   {'alone'}     the lock has one holder, of another mode: inspect.lua tells it

--- decide
--- include keys
--- include now
--- include group/holder
local mode, owner, limit, floor = unpack(redis.call('HMGET', lock, 'mode', 'owner', 'limit', 'floor'))
if not owner then return {'missing'} end
if not mode then return {'alone'} end
local key, now = beside(lock, 'holders'), now_ms()

local function told(reply, id, holder, expires)
  for _, value in ipairs({id, holder.owner, holder.metadata, holder.fence, holder.created, holder.updated, expires,
    expires - now, holder.permits}) do
    reply[#reply + 1] = value
  end
end

if req.id then
  local holder = holder_read(lock, req.id)
  local expires = holder and redis.call('ZSCORE', key, req.id .. ' ' .. holder.permits)
  if not expires or holder.secret ~= req.secret or tonumber(expires) <= now then return {'mismatch'} end
  local reply = {'own'}
  told(reply, req.id, holder, expires)
  reply[#reply + 1], reply[#reply + 2] = limit, floor
  return reply
end

-- A lease may have ended, and no other script has taken its holder out yet.
local used, count = redis.call('HGET', lock, 'used'), redis.call('ZCARD', key)
for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', string.format('%.0f', now))) do
  used, count = used - string.match(member, '(%d+)$'), count - 1
end
if count == 0 then return {'missing'} end
local shown = math.min(count, req.most)
local reply = {'group', redis.call('ZCARD', beside(lock, 'queue')), used, limit, count, shown}
local last = redis.call('ZRANGE', key, -shown, -1, 'WITHSCORES')
for index = #last - 1, 1, -2 do
  local id = string.match(last[index], '^%S+')
  told(reply, id, holder_read(lock, id), last[index + 1])
end
return reply
