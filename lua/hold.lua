#!lua flags=allow-oom
-- Renews a part of a set, whose token no client has yet, by the id of its grant. When the set has all its parts, it commits
-- a part: the part gets the lease that the set asks for, and copies of the request are answered that lease from then on.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue holders request told
-- Arguments
--   id       of the grant
--   lease    ms from now
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
--   commit   true to commit, false to renew
-- Replies
--   {'held', ends, ttl (ms), updated}       renewed or committed; both times in ms since 1970
--   {'committed', ends, ttl (ms), updated}  committed before, until then; nothing was changed
--   {'lost'}              the grant has ended or somebody breaks it, or the lease that an earlier commit gave
--   {'recovering', left}  nothing is committed for so many ms, because Redis may have lost that the grant has ended

--- decide
--- include number
--- include now
--- include record
--- include queue
--- include incarnation
--- include holders/renew
--- constant FENCE_KEPT
--- constant WINDOW
local group = group_open(lock)
local held = holder_held(lock, group, req.id)
if not held then return {'lost'} end
local recovering = req.commit and GRACE ~= '0' and recovery(KEYS[count + 1]) or 0
if recovering > 0 then return {'recovering', recovering} end

local key = req.request and beside(lock, 'request:' .. req.request)
local seen = key and record_read(key) or {}
local ours = seen.outcome == 'acquired' and seen.id == req.id
local now = now_ms()
-- Another attempt of the same request has committed the part. Its client may have extended the lock since.
if ours and seen.ends ~= '0' then
  local ttl = seen.ends - now
  if ttl <= 0 then return {'lost'} end
  return {'committed', seen.ends, ttl, held.updated}
end

local ends = whole(now + req.lease)
if req.commit then held.updated = whole(now) end
-- A renewal that arrives late must not shorten the lease of the commit.
if req.commit or held.ttl < req.lease then renew_holder(lock, group, req.id, held, ends) end
if req.commit then
  -- The lease may be long, so Redis keeps the fence as long after a commit as after an acquire.
  if group then redis.call('PEXPIRE', beside(lock, 'fence'), FENCE_KEPT)
  else redis.call('SET', beside(lock, 'fence'), held.fence, 'PX', FENCE_KEPT) end
  -- The first waiter was told of the longer lease of the part, whichever replica it is at.
  if req.lease < held.ttl then queue_tell(beside(lock, 'queue'), nil, req.lease, group and group.floor or held.fence) end
end
local on = req.commit and recorded()
if on then
  local owner = group and held.in_group.owner or redis.call('HGET', lock, 'owner')
  on.note('extended', lock, req.id, owner, held.fence, ends)
end
-- Each renewal keeps the record for the whole window, because a set may wait longer than that. If Redis lost the record,
-- this writes it anew.
if key and (not seen.print or seen.print == req.print) then
  record_write(key, {
    outcome = 'acquired', print = req.print, id = req.id, token = held.token, fence = held.fence, created = held.created,
    ends = req.commit and ends or '0', told = ours and seen.told or {}, cancelled = seen.cancelled,
  }, WINDOW)
end
return {'held', ends, req.lease, held.updated}
