#!lua flags=no-writes
-- Tells the holder of a lock, and whether a token is the current token. Never tells the token.
--
-- KEYS  1 lock
-- Touches  queue
-- Arguments
--   token  to compare, if there is one
-- Replies
--   {'held', own (1 if the token is the current one, else 0), id, owner, metadata, fence,
--    created, updated, expires (all ms since 1970), ttl (ms), waiting,
--    breaking (1 if somebody breaks the lock and has left the holder a grace, else 0), renewals,
--    by (the identity that took the lock, '' if none is known)}
--   {'free', waiting}
--   {'shared'}  a group holds the lock: shared_inspect.lua tells it

--- decide
--- include keys
local waiting = redis.call('ZCARD', beside(lock, 'queue'))
local held = redis.call('HMGET', lock, 'token', 'id', 'owner', 'metadata', 'fence', 'created', 'updated', 'mode', 'breaking', 'renewals',
  'by')
local current, id, owner, metadata, fence, created, updated, mode, breaking, renewals, by = unpack(held)
if mode then return {'shared'} end
if not id then return {'free', waiting} end

local own = current == req.token and 1 or 0
local expires, ttl = redis.call('PEXPIRETIME', lock), redis.call('PTTL', lock)
return {'held', own, id, owner, metadata, fence, created, updated, expires, ttl, waiting, breaking and 1 or 0, renewals or 0,
  by or ''}
