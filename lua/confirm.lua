#!lua flags=allow-oom
-- Makes sure that this server has the effect of an operation on a lock, and writes a key. WAIT, which Gorilla sends
-- next on the same connection, tells how many replicas have received this write, and so have the effect too.
--
-- KEYS  1 lock   2 confirmation: a key for the write
-- Touches  nothing
-- Arguments
--   field  of the lock
--   value  of the field; '' for no such field. If the field is a holder in a group, its secret, or when it was last extended
--   given  true if the operation gave the field that value, false if it took the value away
-- Replies
--   {'there'}  the server has the effect
--   {'lost'}   the server never had the effect, or another operation has undone it since

--- decide
local value = redis.call('HGET', lock, req.field) or ''
-- lib/group/holder.lua says what the value of a holder's field is.
local secret, updated = string.match(value, '^(%S+) %d+ %d+ %d+ (%d+) ')
if (value == req.value or secret == req.value or updated == req.value) ~= req.given then return {'lost'} end
redis.call('SET', KEYS[count + 1], '', 'PX', '60000')
return {'there'}
