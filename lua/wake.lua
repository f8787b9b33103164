#!lua flags=allow-oom
-- Moves a queue on if a woken waiter did not claim the lock. The replica that freed the lock sends this when the turn
-- of the waiter is over.
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
return {'woken', turn_give(lock)}
