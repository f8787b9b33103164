#!lua flags=allow-oom
-- Renews a lease, if the caller has the current token, and replaces the token and, if the caller wants, the metadata.
--
-- KEYS  1 lock
-- Touches  fence request
-- Arguments
--   token      the current token
--   new_token  the token that replaces it; the current token itself, if the caller keeps it
--   lease      ms
--   metadata   a JSON list that replaces the metadata, absent if the metadata stays
--   request    the Idempotency-Key, if there is one
--   print      fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'extended', token, id, owner, metadata, fence, created, updated, expires, ttl}  times in ms since 1970, ttl in ms
--   {'replayed', ...}        the same nine values: this Idempotency-Key has extended the lease before
--   {'missing'}              nobody holds the lock
--   {'mismatch', owner, fence, ttl (ms)}  the lock has another token
--   {'breaking', ttl (ms)}   somebody breaks the lock, and has left the holder a grace
--   {'shorter', ttl (ms)}    the new lease would end before the current lease
--   {'gone'}                 this Idempotency-Key has extended the lease before, and that lease has ended since
--   {'reused'}               this Idempotency-Key came before with another request

--- include stream
--- include time
--- constant FENCE_KEPT
--- constant WINDOW
--- plain
-- The usual case: the caller has the token, nobody breaks the lock, and Redis has no record of the extend.
--- inline stem
local call, record = redis.call, request and stem .. 'request:' .. request
if record and call('EXISTS', record) == 1 then return nil end
local held = call('HMGET', lock, 'token', 'breaking', 'id', 'owner', 'fence', 'created', 'renewals', 'metadata')
if held[1] ~= token or held[2] then return nil end
local id, owner, fence, created = held[3], held[4], held[5], held[6]
local renewals = string.format('%d', (held[7] or 0) + 1)
--- inline clock
--- inline expires
-- Only if the lease would end later than it does now.
if call('PEXPIREAT', lock, expires, 'GT') == 0 then return nil end
call('HSET', lock, 'token', new_token, 'updated', ms, 'renewals', renewals)
if metadata then call('HSET', lock, 'metadata', metadata) end
-- An extend grants more time, so Redis keeps the fence as long after an extend as after an acquire.
call('SET', stem .. 'fence', fence, 'PX', FENCE_KEPT)
-- As lib/record.lua writes it.
if record then call('SET', record, cjson.encode({'extended', print, id, new_token, ms}), 'PX', WINDOW) end
-- As lib/events.lua notes it.
local note = STREAM and call('EXISTS', STREAM) == 1
  and cmsgpack.pack(7, 'extended', lock, ms, id, owner, fence, expires)
-- A list of ten, packed without a table.
return '\154' .. cmsgpack.pack('extended', new_token, id, owner, metadata or held[8], fence, created, ms, expires, lease),
  note

--- decide
--- include keys
--- include number
--- include now
--- include record
--- include events
local request = req.request and beside(lock, 'request:' .. req.request)
local seen, other = record_recall(request, req.print)
if other then return {'reused'} end

local held = redis.call('HMGET', lock, 'id', 'token', 'owner', 'metadata', 'fence', 'created', 'breaking',
  'released', 'renewals')
local id, current, owner, metadata, fence, created, breaking, released, renewals = unpack(held)
local now = now_ms()

if seen then
  local updated = tonumber(seen.updated)
  local expires = updated + req.lease
  -- A break with a grace has shortened the lease.
  if breaking then expires = math.min(expires, redis.call('PEXPIRETIME', lock)) end
  local ttl = expires - now
  if ttl <= 0 or id ~= seen.id or released then return {'gone'} end
  metadata = req.metadata or metadata
  return {'replayed', seen.token, id, owner, metadata, fence, created, updated, expires, ttl}
end

if not id and not owner then return {'missing'} end
local ttl = redis.call('PTTL', lock)
-- A group has an owner, and no token of this kind.
if current ~= req.token then return {'mismatch', owner, fence, ttl} end
if breaking then return {'breaking', ttl} end
if req.lease < ttl then return {'shorter', ttl} end

redis.call('HSET', lock, 'token', req.new_token, 'updated', whole(now), 'renewals', (renewals or 0) + 1)
if req.metadata then
  metadata = req.metadata
  redis.call('HSET', lock, 'metadata', metadata)
end
redis.call('PEXPIREAT', lock, whole(now + req.lease))
-- An extend grants more time, so Redis keeps the fence as long after an extend as after an acquire.
redis.call('SET', beside(lock, 'fence'), fence, 'PX', FENCE_KEPT)
if request then
  record_write(request, {outcome = 'extended', print = req.print, id = id, token = req.new_token, updated = whole(now)}, WINDOW)
end
local on = recorded()
if on then on.note('extended', lock, id, owner, fence, whole(now + req.lease)) end
return {'extended', req.new_token, id, owner, metadata, fence, created, now, now + req.lease, req.lease}
