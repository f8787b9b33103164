#!lua flags=allow-oom
-- Renews the lease of a holder of a shared lock, if the caller has its token, and replaces the secret of the token unless
-- the caller wants to keep it.
--
-- KEYS  1 lock
-- Touches  fence holders request told
-- Arguments
--   id          of the holder, from its token
--   secret      of the holder, from its token
--   new_secret  that replaces it, absent if the secret stays
--   metadata    a JSON list that replaces the metadata, absent if they stay
--   lease       ms
--   request     the Idempotency-Key, if there is one
--   print       fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'extended', token, id, owner, metadata, fence, created, updated, expires, ttl, permits, limit, floor}  times in ms
--                            since 1970, ttl in ms
--   {'replayed', ...}        the same values: this Idempotency-Key has extended the lease before
--   {'missing'}              nobody holds the lock
--   {'mismatch', owner, fence, ttl (ms)}  the lock has no holder with this token; the values are of the holder that ends last
--   {'breaking', ttl (ms)}   somebody breaks the lock of this holder, and has left it a grace
--   {'shorter', ttl (ms)}    the new lease would end before the current lease
--   {'gone'}                 this Idempotency-Key has extended the lease before, and that lease has ended since
--   {'reused'}               this Idempotency-Key came before with another request

--- decide
--- include number
--- include record
--- include group/group
--- constant FENCE_KEPT
--- constant WINDOW
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end

local group = group_open(lock)
local holder, ends
if group then holder, ends = holder_live(lock, req.id) end
local now = now_ms()
local settled = holder and holder_settled(lock, req.id)
local function told(updated, ttl)
  return req.id .. '.' .. holder.secret, req.id, holder.owner, holder.metadata, holder.fence, holder.created, updated,
    whole(updated + req.lease), ttl, holder.permits, group.limit, group.floor
end

if seen then
  local ttl = seen.updated + req.lease - now
  if settled == 'breaking' then ttl = math.min(ttl, ends - now) end
  if ttl <= 0 or not holder or req.id .. '.' .. holder.secret ~= seen.token then return {'gone'} end
  return {'replayed', told(tonumber(seen.updated), ttl)}
end

if not group and redis.call('EXISTS', lock) == 0 then return {'missing'} end
if not holder or holder.secret ~= req.secret then
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  return {'mismatch', owner, fence, redis.call('PTTL', lock)}
end
local ttl = ends - now
if settled == 'breaking' then return {'breaking', ttl} end
if req.lease < ttl then return {'shorter', ttl} end

holder.secret, holder.updated = req.new_secret or holder.secret, whole(now)
holder.metadata = req.metadata or holder.metadata
holder_write(lock, req.id, holder)
group_until(lock, req.id, holder.permits, now + req.lease)
group_close(lock, group)
-- An extend grants more time, so Redis keeps the last fence as long after an extend as after an acquire.
redis.call('PEXPIRE', beside(lock, 'fence'), FENCE_KEPT)
if request then
  record_write(request,
    {outcome = 'extended', print = req.print, id = req.id, token = req.id .. '.' .. holder.secret, updated = whole(now)}, WINDOW)
end
local on = recorded()
if on then on.note('extended', lock, req.id, holder.owner, holder.fence, whole(now + req.lease)) end
return {'extended', told(now, req.lease)}
