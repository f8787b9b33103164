#!lua
-- Makes a grant of another mode out of the grant of a caller that has its token, with nobody in between: the only holder
-- of a lock shares it from then on, or the only holder of a shared lock has it alone from then on.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn holders limit request told
-- Arguments
--   token     the current token
--   id        of the new grant
--   new_token of the new grant
--   metadata  a JSON list that replaces the metadata, absent if they stay
--   lease     ms
--   share     '*<permits>/<limit>' as in a place, absent to have the lock alone
--   request   the Idempotency-Key, if there is one
--   print     fingerprint of the request, only with an Idempotency-Key
--   by        the identity that converts the lock, absent if no key is demanded
-- Replies
--   {'shares', fence, created (ms since 1970), owner, metadata, ms that the turn of a waiter lasts (0 if nobody has it),
--                            permits, limit, floor}
--   {'alone', fence, created, owner, metadata}
--   {'replayed', token, ttl (ms)}  this Idempotency-Key has converted the lock before
--   {'missing'}              nobody holds the lock
--   {'mismatch', owner, fence, ttl (ms)}  the lock has another token, or no holder with this token
--   {'crowd', owner, fence, ttl (ms) of the holder that ends last, permits that the holders have, limit, holders}  the
--                            caller is not the only holder
--   {'limited', limit}       the requests that wait have named another limit, or another limit is pinned
--   {'breaking', ttl (ms)}   somebody breaks the lock, and has left the holder a grace
--   {'shorter', ttl (ms)}    the new lease would end before the current lease
--   {'recovering', ms until grants are made again}  Redis may have lost a grant that the new grant would have to wait for
--   {'unsettled', ms until grants are made again}   this Idempotency-Key has converted the lock before, but Redis may have
--                            lost the end of that grant
--   {'gone'}                 this Idempotency-Key has converted the lock before, and that lease has ended since
--   {'reused'}               this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include fence
--- include grant
--- include events
--- include holders/ending
--- include holders/find
--- include group/limit
--- include incarnation
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end
local group, now = group_open(lock), now_ms()
-- How long grants still wait after a loss of data (ms). A conversion is a grant too: others may hold the lock, whom Redis
-- has lost.
local function recovers()
  return GRACE ~= '0' and recovery(KEYS[count + 1]) or 0
end
if seen then
  local ttl = seen.created + req.lease - now
  -- If the end of the grant is settled, the lease of the first answer is more than is left.
  local settled = is_ending(lock) or holder_settled(lock, seen.id)
  if ttl <= 0 or not is_holder(lock, seen.id) or settled then return {'gone'} end
  local left = recovers()
  if left > 0 then return {'unsettled', left} end
  return {'replayed', seen.token, ttl}
end

local function remember(id, fence, created)
  if request then
    record_write(request, {outcome = 'acquired', print = req.print, id = id, token = req.new_token, fence = fence, created = created}, WINDOW)
  end
end
local current, owner, metadata, fence = unpack(redis.call('HMGET', lock, 'token', 'owner', 'metadata', 'fence'))
if not owner then return {'missing'} end
local key, ttl = beside(lock, 'holders'), redis.call('PTTL', lock)

if req.share then
  if current ~= req.token then return {'mismatch', owner, fence, ttl} end
  if redis.call('HGET', lock, 'breaking') then return {'breaking', ttl} end
  if req.lease < ttl then return {'shorter', ttl} end
  local left = recovers()
  if left > 0 then return {'recovering', left} end
  local permits, named = string.match(req.share, '^%*(%d+)/(%d*)$')
  local pinned, hint = limit_pinned(lock)
  local wanted = named ~= '' and named or pinned or limit_waiting(lock, hint) or 'none'
  local limit, in_force = limit_for(lock, nil, tonumber(permits), wanted == 'none' and '' or wanted)
  if not limit then return {'limited', in_force} end
  local on = recorded()
  if on then on.ended(lock, 'released') end
  redis.call('DEL', lock)
  local new_fence, created, last = next_fence(beside(lock, 'fence'))
  group = group_new(lock, limit, new_fence)
  group.used = tonumber(permits)
  metadata = req.metadata or metadata
  holder_write(lock, req.id, {secret = select(2, token_parts(req.new_token)), fence = new_fence, permits = permits,
    created = created, updated = created, owner = owner, metadata = metadata})
  holder_taken(lock, req.id, req.by)
  group_until(lock, req.id, permits, now + req.lease)
  if on then
    local to = {id = req.id, owner = owner, metadata = metadata, by = req.by}
    on.granted(lock, to, new_fence, whole(now + req.lease), last, tonumber(permits), new_fence)
  end
  local turn = group_changed(lock, group)
  remember(req.id, new_fence, created)
  return {'shares', new_fence, created, owner, metadata, turn, permits, limit, new_fence}
end

local id, secret = token_parts(req.token)
local holder = group and id and holder_live(lock, id)
if not holder or holder.secret ~= secret then return {'mismatch', owner, fence, ttl} end
if holder_settled(lock, id) then return {'breaking', ttl} end
local holders = group_count(lock)
if holders > 1 then return {'crowd', owner, fence, ttl, group.used, group.limit, holders} end
if req.lease < ttl then return {'shorter', ttl} end
local left = recovers()
if left > 0 then return {'recovering', left} end
local on = recorded()
if on then on.holder_ended(lock, id, holder, 'released') end
redis.call('DEL', lock, key, beside(lock, 'queue:turn'))
metadata = req.metadata or holder.metadata
local new_fence, created, last =
  grant(lock, beside(lock, 'fence'), req.id, req.new_token, holder.owner, metadata, req.lease, req.by)
if on then
  local to = {id = req.id, owner = holder.owner, metadata = metadata, by = req.by}
  on.granted(lock, to, new_fence, whole(now + req.lease), last)
end
-- The first waiter looks when this lease ends.
queue_tell(beside(lock, 'queue'), '', req.lease, new_fence)
remember(req.id, new_fence, created)
return {'alone', new_fence, created, holder.owner, metadata}
