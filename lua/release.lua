#!lua flags=allow-oom
-- Frees a lock, if the caller has its token, and wakes the first waiter.
--
-- KEYS  1 lock
-- Touches  queue queue:turn request
-- Arguments
--   token    the current token
--   request  the Idempotency-Key, if there is one
--   print    fingerprint of the request, only with an Idempotency-Key
-- Replies
--   {'released', ms that the turn of the next waiter lasts (0 if nobody waits), created (ms since 1970)}
--   {'replayed'}  this Idempotency-Key has released the lock before
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- include stream
--- constant WINDOW
--- plain
-- The usual cases: nobody waits, or nobody has the turn; and Redis has no record of the release.
--- inline stem
local call, queue = redis.call, stem .. 'queue'
local release_record, release_print = request and stem .. 'request:' .. request, print
if release_record and call('EXISTS', release_record) == 1 then return nil end
local found, waits = call('EXISTS', queue, STREAM or queue), false
if found > 0 then
  waits = found > 1 or not STREAM or call('EXISTS', queue) > 0
  -- Whether somebody listens.
  if waits then found = STREAM and found - 1 or 0 end
end
local current = call('HGET', lock, 'token')
-- A group has no token of this kind.
if not current and call('EXISTS', lock) == 0 then return {'missing'} end
if current ~= token then return {'mismatch'} end
local us, ms, note
local turn = waits and stem .. 'queue:turn'
if turn and call('EXISTS', turn) > 0 then return nil end
local created = call('HGET', lock, 'created')
if found > 0 then
  local held = call('HMGET', lock, 'id', 'owner', 'fence')
--- inline clock
--- inline note_released
end
--- inline record_released
call('DEL', lock)
if turn then
  -- Gives the turn to the first waiter, as lib/turn.lua does.
--- inline turn
--- inline clock
  local of = call('ZRANGE', queue, '0', '0')[1]
--- inline place
  call('SET', turn, ms .. ' ' .. of, 'PX',
    string.format('%d', math.max(call('PTTL', queue), TURN)))
  call('PUBLISH', string.sub(of, one + 1, two and two - 1), string.sub(of, 1, one - 1))
  return {'released', TURN, created}, note
end
if #created == 13 then return '\147\168released\0\173' .. created, note end
return {'released', 0, created}, note

--- decide
--- include released
--- include turn
local reply = released(lock, req)
if reply[1] == 'released' then reply[2] = turn_give(lock) end
return reply
