#!lua
-- Grants a lock if nobody holds it and no earlier request waits for it. Otherwise queues the request, if it wants to
-- wait. This is the first call of an attempt; a waiter goes on with claim.lua.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request queue:replaces
-- Arguments
--   id        of the attempt, and of the grant that it gets
--   token     that the lock gets
--   owner     a name, for people
--   metadata  a JSON list
--   lease     ms
--   request   the Idempotency-Key, which names the record, if there is one; without one the id names it
--   print     fingerprint of the request, only with an Idempotency-Key
--   wait      how long to wait from now (ms), absent if the request doesn't wait
--   channel   over which messages reach this replica; empty if the request doesn't wait
--   rank      what is special about the request, as in lib/rank.lua; absent if nothing is
--   by        the identity that takes the lock, absent if no key is demanded
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  this Idempotency-Key was granted the lock before
--   {'queued', arrived, fence of the holder (0 if the lock is free), ms until a claim may succeed unless woken before}
--   {'shared'}     a group holds the lock; nothing was changed, and join.lua decides
--   {'held', owner, fence, ttl (ms), waiting, position (0 if it has none)}
--   {'reserved', waiting, position}  nobody holds the lock, but others wait for it
--   {'recovering', ms until grants are made again, waiting, position}  nobody holds the lock, unless Redis lost a grant
--   {'unsettled', ms until grants are made again}  this Idempotency-Key was granted the lock before, but Redis may have
--                  lost the end of that grant
--   {'replaced'}  a later request with the same value of `replaces` has taken its place
--   {'full', waiting}  the queue has no more room
--   {'over', locks}  the identity holds as many locks as it may
--   {'gone'}       this Idempotency-Key was granted the lock before, and that lease has ended since
--   {'reused'}     this Idempotency-Key came before with another request
--   {'cancelled'}  this attempt was cancelled before it arrived

--- include stream
--- include time
--- constant FENCE_KEPT
--- constant GRACE
--- constant LONGEST_ATTEMPT
--- constant PLACE_KEPT
--- constant ROOM
--- constant WINDOW
--- plain
-- The usual cases of a request of which Redis has no record: the lock is free and nobody waits; or somebody has the lock alone,
-- and the request is refused or joins the queue as its last. Not those of a set, whose records have more, nor those of
-- an identity with a quota.
if rank and rank[3] or print and string.sub(print, 1, 4) == 'set:' then return nil end
--- inline stem
local call, queue, record = redis.call, stem .. 'queue', stem .. 'request:' .. (request or id)
local found = call('EXISTS', lock, queue, record, STREAM or record)

-- Of the four only the stream may be there: then somebody listens.
if found == 0 or found == 1 and STREAM and call('EXISTS', lock, queue, record) == 0 then
  if GRACE ~= '0' then return nil end
  local fence_key = stem .. 'fence'
--- inline grant
--- inline record_granted
  local note
  if found > 0 then
    local waited
--- inline note_granted
  end
--- inline granted
end

if rank then return nil end
local held = call('HMGET', lock, 'owner', 'fence', 'mode')
local fence = held[2]
-- A group has a mode.
if not fence or held[3] then return nil end
local waiting = call('ZCARD', queue)
-- Beside the lock and the queue only the stream may be there.
found = found - (waiting > 0 and 2 or 1)
if found > 0 and (not STREAM or call('EXISTS', record) == 1) then return nil end
-- A list of six, packed without a table.
if not wait then return '\150' .. cmsgpack.pack('held', held[1], fence, call('PTTL', lock), waiting, 0) end
if 2 * waiting >= tonumber(ROOM) then return nil end
--- inline clock
if waiting > 0 then
--- inline many
  -- All that wait must have arrived before, and where many wait, none of them so long ago that its replica may have died.
  local from = us - LONGEST_ATTEMPT * 1000
  from = waiting >= MANY and string.format('%d%07d', from / 10000000, from % 10000000) or '-inf'
  if call('ZCOUNT', queue, from, '(' .. us) < waiting then return nil end
end
-- A later call of the same attempt may have come before.
local own = id .. ' ' .. channel .. ' ' .. owner
if call('ZADD', queue, 'NX', us, own) == 0 then return nil end
-- As lib/record.lua writes it.
if print then
  call('SET', record, cjson.encode({'waiting', print, us, own}), 'PX', string.format('%d', wait + PLACE_KEPT))
end
-- If all replicas die, the keys expire. The expiry is twice as far away as it must be, so that few requests write it.
if waiting == 0 or call('PTTL', queue) < tonumber(LONGEST_ATTEMPT) then
  call('PEXPIRE', queue, 2 * LONGEST_ATTEMPT)
end
local left = call('PTTL', lock)
local note = found > 0 and cmsgpack.pack(8, 'queued', lock, ms, id, owner, waiting + 1, waiting + 1, fence)
if #us == 16 and #fence == 16 then return '\148\166queued\176' .. us .. '\176' .. fence .. cmsgpack.pack(left), note end
return {'queued', us, fence, left}, note

--- decide
--- include acquire
local seen = acquire_remembered(lock, req, false) or acquire_replaced(lock, req)
if seen then return seen end
acquire_dismiss(lock, req, function(place) acquire_leave(lock, place, 'superseded') end)
local block, others_wait = acquire_blocks(lock, req)
if not block then return acquire_granted(lock, req, others_wait) end
if acquire_meets_group(block) then return {'shared'} end
if req.wait then return acquire_queued(lock, req, block) end
return acquire_refused(lock, req, block)
