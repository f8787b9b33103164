-- The requests of a call. A script runs for each of them, one after another, as if each had come alone (run.lua).
--
-- KEYS  the lock of each request; behind them the keys that the header of the script names; behind those, in a Cluster, the
--       other keys that the script touches, so that Redis refuses the call before it runs if a slot is moving
-- ARGV  1 values packed as MessagePack, one behind another: how many requests there are, and then the arguments of each
--       request, in the order of the script's header, with nil for an argument that is absent
-- Replies
--   one text: the reply to each request, a list packed as MessagePack, one behind another; if one of many requests fails, the
--   text of its error stands in its place, packed, and the others go on. Redis takes ten times as long for a table as for a text

if #ARGV ~= 1 then return redis.error_reply('ERR this script takes 1 ARGV, packed requests') end
-- So many requests have replies; what is in the list behind them doesn't count.
local packed, replies, done = ARGV[1], {''}, 0
-- The arguments of the next request without a reply begin here. This, like cmsgpack.pack, makes no tables: Redis would
-- pay for them several times what the commands of a script cost.
local at, count = cmsgpack.unpack_limit(packed, 1, 0)
