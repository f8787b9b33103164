#!lua flags=allow-oom
-- Undoes an acquire whose reply nobody gets, also where the acquire itself arrives later than this: takes it out of the
-- queue, and frees the lock that it took.
--
-- KEYS  1 lock
-- Touches  queue queue:turn request
-- Arguments
--   id       of the attempt
--   owner    as the acquire had it
--   channel  of its replica
--   request  the name of the record that the acquire used
-- Replies, each with the ms that the turn of the next waiter lasts (0 if nobody was woken)
--   {'released', turn}  the acquire had been executed; its lock is free again
--   {'marked', turn}    it had not, or had queued; should it arrive within the window, it is refused
--   {'kept', turn}      it had been, and a copy with the same Idempotency-Key has been answered: that client holds the lock

--- decide
--- include record
--- include turn
--- include holders
--- constant WINDOW
--- constant PLACE_KEPT
local MOST_CANCELLED = 64
local key, own = beside(lock, 'request:' .. req.request), place.of(req)
local seen = record.read(key) or {outcome = 'cancelled', cancelled = {}, told = {}}

-- A cancellation is repeated until it is confirmed.
if not record.find(seen.cancelled, req.id) then seen.cancelled[#seen.cancelled + 1] = req.id end
-- Version 0.1 may have noted it more than once.
local mine = record.find(seen.told, req.id)
while mine do
  table.remove(seen.told, mine)
  mine = record.find(seen.told, req.id)
end
local taker = seen.outcome == 'acquired' and seen.id
-- So many attempts of one request are not on their way at once, and a record is not to grow for ever. That the attempt
-- which took the lock was cancelled is never forgotten.
if #seen.cancelled > MOST_CANCELLED then table.remove(seen.cancelled, seen.cancelled[1] == taker and 2 or 1) end
-- The attempts that were told of the grant and not cancelled: the one that took the lock, and those answered again.
local relied = taker and (#seen.told > 0 or not record.find(seen.cancelled, taker))

redis.call('ZREM', beside(lock, 'queue'), own)
local released = not relied and holders.find(lock, taker or req.id)
if released then holders.remove(lock) end
if taker and not relied then seen.outcome, seen.told = 'cancelled', {} end
-- The place of a copy lasts as long as it would have; whoever waited keeps the place for a while.
local of_copy = seen.outcome == 'waiting' and seen.place ~= own
record.write(key, seen, not of_copy and (seen.outcome == 'waiting' and PLACE_KEPT or WINDOW) or nil)

local left = 0
if redis.call('EXISTS', lock) == 0 then left = turn.give(lock) end
if released then return {'released', left} end
if relied and taker == req.id then return {'kept', left} end
return {'marked', left}
