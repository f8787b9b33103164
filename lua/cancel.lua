#!lua flags=allow-oom
-- Undoes an acquire whose reply no client gets, also if the acquire arrives later than the cancellation: takes its
-- place out of the queue, and frees the lock that it took.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders request told
-- Arguments
--   id       of the attempt
--   owner    as the acquire had it
--   channel  of the replica of the attempt
--   request  as the acquire had it: the Idempotency-Key, if there was one
--   share    as the acquire had it, absent if it wanted the lock alone
--   cause    why it is undone: 'unknown_outcome', 'hung_up', 'not_replicated' or 'incomplete'
-- Replies, each with the ms that the turn of the next waiter lasts (0 if nobody was woken)
--   {'released', turn}  the acquire had taken the lock, which is free again
--   {'marked', turn}    the acquire had not taken the lock; if it arrives within the window, Redis refuses it
--   {'kept', turn}      the acquire had taken the lock, but a copy with the same Idempotency-Key was answered: the client
--                       of the copy holds the lock

--- decide
--- include record
--- include group/call
--- include holders/find
--- include holders/remove
--- constant WINDOW
--- constant PLACE_KEPT
local MOST_CANCELLED = 64
local key, own = beside(lock, 'request:' .. (req.request or req.id)), place_of(req)
local seen = record_read(key) or {outcome = 'cancelled', cancelled = {}, told = {}}

-- Only once, because a replica repeats a cancellation until Redis has confirmed it.
if not record_find(seen.cancelled, req.id) then seen.cancelled[#seen.cancelled + 1] = req.id end
local mine = record_find(seen.told, req.id)
if mine then table.remove(seen.told, mine) end
local taker = seen.outcome == 'acquired' and seen.id
-- A record must not grow for ever, and a request never has so many attempts on their way at once. The record never
-- drops the mark of the attempt that took the lock.
if #seen.cancelled > MOST_CANCELLED then table.remove(seen.cancelled, seen.cancelled[1] == taker and 2 or 1) end
-- Whether a client relies on the grant: an attempt was told of it, and was not cancelled.
local relied = taker and (#seen.told > 0 or not record_find(seen.cancelled, taker))

local group, holds = group_open(lock), taker or req.id
local left_by = req.cause == 'hung_up' and 'hung_up' or 'refused'
if group then group_leave_queue(lock, group, own, left_by) else queue_remove(beside(lock, 'queue'), own, left_by) end
local released = not relied and is_holder(lock, holds)
if released and group then group_remove(lock, group, holds, holder_read(lock, holds), 'undone', req.cause)
elseif released then remove_holder(lock, 'undone', req.cause) end
if taker and not relied then seen.outcome, seen.told = 'cancelled', {} end
-- The record of a copy's place keeps its time. The record of this attempt's own place lasts a while longer.
local of_copy = seen.outcome == 'waiting' and seen.place ~= own
record_write(key, seen, not of_copy and (seen.outcome == 'waiting' and PLACE_KEPT or WINDOW) or nil)

local left = 0
if group then left = group_changed(lock, group)
elseif redis.call('EXISTS', lock) == 0 then left = turn_give(lock) end
if released then return {'released', left} end
if relied and taker == req.id then return {'kept', left} end
return {'marked', left}
