#!lua flags=allow-oom
-- Frees a lock, if the caller has its token.
--
-- KEYS  1 lock   2 request, only with an Idempotency-Key
-- ARGV  1 token   2 fingerprint ('' without an Idempotency-Key)   3 retry window (ms)
-- For example: EVALSHA <sha> 1 gorilla:{a}:lock <token> '' 60000
-- Replies
--   {'released'}
--   {'replayed'}  released before, by the same Idempotency-Key
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  held under another token
--   {'reused'}    the Idempotency-Key came before with another request

if #KEYS < 1 or #KEYS > 2 or #ARGV ~= 3 then return redis.error_reply('ERR release takes 1 or 2 KEYS and 3 ARGV') end
local lock, request = KEYS[1], KEYS[2]
local token, fingerprint, window = ARGV[1], ARGV[2], ARGV[3]

local record, other = recall(request, fingerprint)
if other then return {'reused'} end
if record then return {'replayed'} end

local current = redis.call('HGET', lock, 'token')
if not current then return {'missing'} end
if current ~= token then return {'mismatch'} end

redis.call('DEL', lock)
if request then remember(request, {'released', fingerprint}, window) end
return {'released'}
