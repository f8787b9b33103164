-- The requests of a call. A script runs for each of them, one after another, as if each had come alone (run.lua).
--
-- KEYS  the lock of each request; behind them the keys that the header of the script names; behind those, in a Cluster, the
--       other keys that the script touches, so that Redis refuses the call before it runs if a slot is moving
-- ARGV  1 values packed as MessagePack, one behind another: how many requests there are, and then the arguments of each
--       request, in the order of the script's header, with nil for an argument that is absent
-- Replies
--   one text: the reply to each request, a list packed as MessagePack, one behind another; if one of many requests fails, the
--   text of its error stands in its place, packed, and the others go on. Redis takes ten times as long for a table

-- There are fewer than 128 requests: MessagePack has such a number in one byte.
local packed = ARGV[1]
local count = string.byte(packed)
-- So many requests have replies, and the arguments of the next begin here. cmsgpack.unpack_limit, like cmsgpack.pack, makes no
-- tables: Redis would pay for them several times what the commands of a script cost.
local done, at = 0, 1
-- The reply to the only request, or the replies.
local replied = count > 1 and {}
