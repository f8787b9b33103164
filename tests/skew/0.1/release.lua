#!lua flags=allow-oom
-- Frees a lock, if the caller has its token, and wakes who waits first.
--
-- KEYS  1 lock   2 queue   3 turn   4 request, only with an Idempotency-Key
-- ARGV  1 token   2 fingerprint ('' without an Idempotency-Key)   3 retry window (ms)
-- For example: EVALSHA <sha> 3 gorilla:{a}:lock gorilla:{a}:queue gorilla:{a}:queue:turn <token> '' 60000
-- Replies
--   {'released', ms that the turn of the next waiter lasts (0 if nobody waits)}
--   {'replayed'}  released before, by the same Idempotency-Key
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  held under another token
--   {'reused'}    the Idempotency-Key came before with another request

if #KEYS < 3 or #KEYS > 4 or #ARGV ~= 3 then return redis.error_reply('ERR release takes 3 or 4 KEYS and 3 ARGV') end
local lock, queue, turn, request = unpack(KEYS)
local token, fingerprint, window = unpack(ARGV)

local record, other = recall(request, fingerprint)
if other then return {'reused'} end
if record then return {'replayed'} end

local current = redis.call('HGET', lock, 'token')
if not current then return {'missing'} end
if current ~= token then return {'mismatch'} end

redis.call('DEL', lock)
if request then remember(request, {'released', fingerprint}, window) end
return {'released', wake(queue, turn)}
