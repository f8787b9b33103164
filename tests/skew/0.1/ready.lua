#!lua flags=allow-oom
-- Writes nothing, but may: Redis refuses it whenever it would refuse to extend and to release (READONLY, MISCONF,
-- NOREPLICAS …). Not when it is out of memory, because those two still work then, and only here.
--
-- KEYS  none
-- ARGV  none
-- For example: EVALSHA <sha> 0
-- Replies
--   {'ready'}

if #KEYS ~= 0 or #ARGV ~= 0 then return redis.error_reply('ERR ready takes 0 KEYS and 0 ARGV') end
return {'ready'}
