#!lua
-- Frees a lock, if the caller has its token, and has a waiter of the same replica claim the lock in the same step. So a
-- handover on one replica takes one call, and no message.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request queue:replaces request
-- Arguments
--   release_token    the current token
--   release_request  the Idempotency-Key of the release, if there is one
--   release_print    fingerprint of the release, only with an Idempotency-Key
--   id               this and the others as in claim.lua
--   token
--   owner
--   metadata
--   lease
--   request
--   print
--   wait
--   channel
--   rank
--   by
--   arrived
-- Replies
--   {'released', ms that the turn of another waiter lasts (0 if no other has the turn), created (ms since 1970), ...}
--                 behind that what claim.lua replies to the claim
--   {'replayed'}  this Idempotency-Key has released the lock before; nothing was claimed, nor with the replies below
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- include stream
--- include time
--- constant FENCE_KEPT
--- constant GRACE
--- constant WINDOW
--- plain
-- The usual case: the waiter is the first and has no turn; Redis has no record of the release, and none of the request that
-- waits or, if that has an Idempotency-Key, the record of this place.
if GRACE ~= '0' or rank or not arrived or print and string.sub(print, 1, 4) == 'set:' then return nil end
--- inline stem
local call, record, turn, queue = redis.call, stem .. 'request:' .. (request or id), stem .. 'queue:turn', stem .. 'queue'
local mark, release_record = print and turn or record, release_request and stem .. 'request:' .. release_request
local found = call('EXISTS', turn, mark, release_record or turn, STREAM or turn)
-- Of the four only the stream may be there: then somebody listens.
if found > 0 and (found > 1 or not STREAM or call('EXISTS', turn, mark, release_record or turn) > 0) then return nil end
local first, second = unpack(call('ZRANGE', queue, '0', '1'))
-- A place, as in lib/place.lua.
local own = id .. ' ' .. channel .. ' ' .. owner
if first ~= own or call('HGET', lock, 'token') ~= release_token then return nil end
--- inline waits
local created = call('HGET', lock, 'created')
local held = found > 0 and call('HMGET', lock, 'id', 'owner', 'fence')
call('DEL', lock)
--- inline record_released
--- inline take_turn
--- inline record_granted
local note
if held then
--- inline note_released
  local waited = math.max(0, math.floor((us - arrived) / 1000))
--- inline note_granted
end
-- Packed by hand, as in try.lua.
if #created == 13 and #fence == 16 and #now == 13 then
  return '\150\168released\0\173' .. created .. '\167granted\176' .. fence .. '\173' .. now, note
end
return {'released', 0, created, 'granted', fence, now}, note

--- decide
--- include released
--- include claim
local release = {token = req.release_token, request = req.release_request, print = req.release_print}
local reply = released(lock, release)
if reply[1] ~= 'released' then return reply end
local claimed = claim(lock, req)
-- While grants wait after a loss of data, no turn could be claimed.
local is_free = claimed[1] ~= 'granted' and not acquire_recovers()
return {'released', is_free and turn_give(lock) or 0, reply[3], unpack(claimed)}
