#!lua flags=allow-oom
-- Moves a queue on where a waiter that was woken did not claim the lock. Sent when its turn is over, by the replica that
-- freed the lock.
--
-- KEYS  1 lock   2 queue   3 turn
-- ARGV  none
-- For example: EVALSHA <sha> 3 gorilla:{a}:lock gorilla:{a}:queue gorilla:{a}:queue:turn
-- Replies
--   {'woken', ms that the turn of the next waiter lasts (0 if the lock is held or nobody waits)}

if #KEYS ~= 3 or #ARGV ~= 0 then return redis.error_reply('ERR wake takes 3 KEYS and 0 ARGV') end
local lock, queue, turn = unpack(KEYS)

if redis.call('EXISTS', lock) == 1 then return {'woken', 0} end
return {'woken', wake(queue, turn)}
