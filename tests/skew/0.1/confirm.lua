#!lua flags=allow-oom
-- Makes sure that this server has the effect of an operation on a lock, and writes something. WAIT, sent after it on the
-- same connection, tells how many replicas have got this far in what the server writes, and so have that effect too.
--
-- KEYS  1 lock   2 confirmation: a key for the write
-- ARGV  1 field of the lock   2 a value of it   3 1 if the operation gave the field that value, 0 if it took it away
-- For example: EVALSHA <sha> 2 gorilla:{a}:lock gorilla:{a}:confirmation id <id> 0
-- Replies
--   {'there'}  the server has the effect
--   {'lost'}   it doesn't: it never had it, or another operation has undone it since

if #KEYS ~= 2 or #ARGV ~= 3 then return redis.error_reply('ERR confirm takes 2 KEYS and 3 ARGV') end
local lock, confirmation = unpack(KEYS)
local field, value, given = ARGV[1], ARGV[2], ARGV[3] == '1'

if (redis.call('HGET', lock, field) == value) ~= given then return {'lost'} end
redis.call('SET', confirmation, '', 'PX', 60000)
return {'there'}
