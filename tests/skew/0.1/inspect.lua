#!lua flags=no-writes
-- Tells who holds a lock, and whether a token is its current one. Never tells the token.
--
-- KEYS  1 lock   2 queue
-- ARGV  1 token to compare ('' for none)
-- For example: EVALSHA <sha> 2 gorilla:{a}:lock gorilla:{a}:queue ''
-- Replies
--   {'held', own (1 if the token is the current one, else 0), id, owner, metadata, fence,
--    created, updated, expires (all ms since 1970), ttl (ms), waiting}
--   {'free', waiting}

if #KEYS ~= 2 or #ARGV ~= 1 then return redis.error_reply('ERR inspect takes 2 KEYS and 1 ARGV') end
local lock, queue = unpack(KEYS)
local token = ARGV[1]

local waiting = redis.call('ZCARD', queue)
local held = redis.call('HMGET', lock, 'token', 'id', 'owner', 'metadata', 'fence', 'created', 'updated')
local current, id, owner, metadata, fence, created, updated = unpack(held)
if not id then return {'free', waiting} end

local own = current == token and 1 or 0
local expires, ttl = redis.call('PEXPIRETIME', lock), redis.call('PTTL', lock)
return {'held', own, id, owner, metadata, fence, created, updated, expires, ttl, waiting}
