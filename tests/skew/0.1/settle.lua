#!lua flags=allow-oom
-- Looks whether this is a new incarnation of the data, so that the time for which grants wait begins with the connection
-- and not with the first acquire.
--
-- KEYS  1 incarnation
-- ARGV  1 grace: how long grants wait after data may have been lost (ms)
-- For example: EVALSHA <sha> 1 gorilla:{a}:incarnation 60000
-- Replies
--   {'settled', ms until grants are made (0 if they are), 1 if the incarnation is a new one, else 0}

if #KEYS ~= 1 or #ARGV ~= 1 then return redis.error_reply('ERR settle takes 1 KEYS and 1 ARGV') end
local incarnation, grace = KEYS[1], tonumber(ARGV[1])

local left, is_new = recovery(incarnation, grace)
return {'settled', left, is_new and 1 or 0}
