-- Runs a script for one request or for many requests, one after another, as if each had come alone.
--
-- KEYS  the lock of each request; behind them the keys that the header of the script names; behind those, in a Cluster, the
--       other keys that the script touches, so that Redis refuses the call before it runs if a slot is moving
-- ARGV  1 values packed as MessagePack, one behind another: how many requests there are, and then the arguments of each
--       request, in the order of the script's header, with nil for an argument that is absent
-- Replies
--   a list with the reply to each request, packed as MessagePack; if one of many requests fails, its error in its place,
--   and the others go on

if #ARGV ~= 1 then return redis.error_reply('ERR this script takes 1 ARGV, packed requests') end
local packed, replies = ARGV[1], {}
-- The arguments of the next request without a reply begin here. This, like cmsgpack.pack, makes no tables: Redis would
-- pay for them several times what the commands of a script cost.
local at, count = cmsgpack.unpack_limit(packed, 1, 0)
-- And here those of the request behind that.
local behind

-- Calls `decide` for each request without a reply. If `decide` returns nothing, it leaves this request, and all requests
-- behind it, to the next part of the script. Returns whether all requests have their replies.
local function run(decide)
  for index = #replies + 1, count do
    local done, reply = true, nil
    if count == 1 then
      reply = decide(KEYS[1], cmsgpack.unpack_limit(packed, ARGUMENTS, at))
    else
      done, reply = pcall(decide, KEYS[index], cmsgpack.unpack_limit(packed, ARGUMENTS, at))
      if not done then reply = redis.error_reply(tostring(reply)) end
    end
    if not reply then return false end
    replies[index] = done and cmsgpack.pack(reply) or reply
    at = behind
  end
  return true
end
