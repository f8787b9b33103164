#!lua flags=allow-oom
-- Moves a queue on if a woken waiter did not claim the lock. The replica that freed the lock sends this when the turn
-- of the waiter is over.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders told
-- Arguments
--   none
-- Replies
--   {'woken', ms that the turn of the next waiter lasts (0 if it can't have the lock now, or nobody waits)}

--- decide
--- include group/call
return {'woken', group_move_on(lock)}
