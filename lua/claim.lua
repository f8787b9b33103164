#!lua
-- Asks again for a lock, for an attempt that waits for it: a message woke the attempt, the lease of the holder has
-- ended, a reply was lost, or the wait is over.
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
--   wait      how long to wait from now (ms), absent if the wait is over
--   channel   over which messages reach this replica
--   rank      what is special about the request, as in lib/rank.lua; absent if nothing is
--   by        the identity that takes the lock, absent if no key is demanded
--   arrived   when the attempt joined the queue, absent if the reply with this time was lost
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  this Idempotency-Key was granted the lock before
--   {'queued', arrived, fence of the holder (0 if the lock is free), ms until a claim may succeed unless woken before}
--   {'superseded'}  a copy with the same Idempotency-Key has taken the place over
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
--- constant WINDOW
--- plain
-- The usual case: the lock is free, and the turn of the attempt, which is the first in the queue, is not over; Redis has no
-- record of the request or, if it has an Idempotency-Key, the record of this place.
if GRACE ~= '0' or rank or not arrived or print and string.sub(print, 1, 4) == 'set:' then return nil end
--- inline stem
local call, record, turn, queue = redis.call, stem .. 'request:' .. (request or id), stem .. 'queue:turn', stem .. 'queue'
local mark = print and lock or record
local found = call('EXISTS', lock, mark, STREAM or lock)
-- Of the three only the stream may be there: then somebody listens.
if found > 0 and (found > 1 or not STREAM or call('EXISTS', lock, mark) > 0) then return nil end
local first, second = unpack(call('ZRANGE', queue, '0', '1'))
-- A place, as in lib/place.lua.
local own = id .. ' ' .. channel .. ' ' .. owner
if first ~= own then return nil end
--- inline waits
local given = call('GET', turn)
if given then
--- inline turn
--- inline clock
  local after_since = string.find(given, ' ', 1, true)
  local since = string.sub(given, 1, after_since - 1)
  if string.sub(given, after_since + 1) == first and since + TURN <= tonumber(ms) then return nil end
  call('DEL', turn)
end
--- inline take_turn
--- inline record_granted
local note
if found > 0 then
  local waited = math.max(0, math.floor((us - arrived) / 1000))
--- inline note_granted
end
--- inline granted

--- decide
--- include claim
return claim(lock, req)
