#!lua flags=allow-oom
-- Moves a queue on where a waiter that was woken did not claim the lock. Sent when its turn is over, by the replica that
-- freed the lock.
--
-- KEYS  1 lock
-- Touches  queue queue:turn
-- Arguments
--   none
-- Replies
--   {'woken', ms that the turn of the next waiter lasts (0 if the lock is held or nobody waits)}

--- decide
--- include turn
if redis.call('EXISTS', lock) == 1 then return {'woken', 0} end
return {'woken', turn.give(lock)}
