-- Runs a script for one request or for many requests, one after another, as if each had come alone.
--
-- KEYS  the lock of each request; behind them the keys that the header of the script names; behind those, in a Cluster, the
--       other keys that the script touches, so that Redis refuses the call before it runs if a slot is moving
-- ARGV  1 the requests, a list packed as MessagePack: for each a map from the names in the header of the script to values
-- Replies
--   a list with the reply to each request; if one of many requests fails, its error in its place, and the others go on

if #ARGV ~= 1 then return redis.error_reply('ERR this script takes 1 ARGV, a packed list of requests') end
local requests, replies = cmsgpack.unpack(ARGV[1]), {}

-- Calls `decide` for each request without a reply. If `decide` returns nothing, it leaves this request, and all requests
-- behind it, to the next part of the script. Returns whether all requests have their replies.
local function run(decide)
  for index = #replies + 1, #requests do
    local done, reply = true, nil
    if #requests == 1 then
      reply = decide(KEYS[1], requests[1])
    else
      done, reply = pcall(decide, KEYS[index], requests[index])
      if not done then reply = redis.error_reply(tostring(reply)) end
    end
    if not reply then return false end
    replies[index] = reply
  end
  return true
end
