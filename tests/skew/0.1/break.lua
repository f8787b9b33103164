#!lua flags=allow-oom
-- Frees a lock without its token, because its holder is gone, and wakes who waits first.
--
-- KEYS  1 lock   2 queue   3 turn   4 request, only with an Idempotency-Key
-- ARGV  1 fence of the grant to end ('' for whichever stands)
--       2 fingerprint ('' without an Idempotency-Key)   3 retry window (ms)
-- For example: EVALSHA <sha> 3 gorilla:{a}:lock gorilla:{a}:queue gorilla:{a}:queue:turn '' '' 60000
-- Replies
--   {'broken', id, owner, fence, ms that the turn of the next waiter lasts (0 if nobody waits)}
--   {'replayed', id, owner, fence}  broken before, by the same Idempotency-Key
--   {'missing'}                     nobody holds the lock
--   {'changed', owner, fence, ttl (ms)}  held by another grant than the one named
--   {'reused'}                      the Idempotency-Key came before with another request

if #KEYS < 3 or #KEYS > 4 or #ARGV ~= 3 then return redis.error_reply('ERR break takes 3 or 4 KEYS and 3 ARGV') end
local lock, queue, turn, request = unpack(KEYS)
local named, fingerprint, window = unpack(ARGV)

local record, other = recall(request, fingerprint)
if other then return {'reused'} end
if record then return {'replayed', record[3], record[4], record[5]} end

local id, owner, fence = unpack(redis.call('HMGET', lock, 'id', 'owner', 'fence'))
if not id then return {'missing'} end
if named ~= '' and named ~= fence then return {'changed', owner, fence, redis.call('PTTL', lock)} end

redis.call('DEL', lock)
if request then remember(request, {'broken', fingerprint, id, owner, fence}, window) end
return {'broken', id, owner, fence, wake(queue, turn)}
