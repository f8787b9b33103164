#!lua
-- Writes nothing, but may: Redis refuses it whenever it would refuse a write (READONLY, MISCONF, OOM, NOREPLICAS …).
--
-- KEYS  none
-- ARGV  none
-- For example: EVALSHA <sha> 0
-- Replies
--   {'ready'}

if #KEYS ~= 0 or #ARGV ~= 0 then return redis.error_reply('ERR ready takes 0 KEYS and 0 ARGV') end
return {'ready'}
