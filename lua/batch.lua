-- Runs a script for many requests, one after another, as if each had come alone. The store puts the script before this
-- text as the function `one`, which takes the KEYS and ARGV of one request.
--
-- KEYS  those of all requests
-- ARGV  1 how many KEYS each request has, separated by spaces   then those of all requests, equally many for each
-- Replies
--   a list with what the script replies to each; where it fails for one, the error in its place, and the others go on

local counts = {}
for count in string.gmatch(ARGV[1], '%d+') do counts[#counts + 1] = tonumber(count) end
local args, key, arg = (#ARGV - 1) / #counts, 1, 2
local replies = {}
for request, count in ipairs(counts) do
  local done, reply = pcall(one, {unpack(KEYS, key, key + count - 1)}, {unpack(ARGV, arg, arg + args - 1)})
  if not done then reply = redis.error_reply(tostring(reply)) end
  replies[request] = reply
  key, arg = key + count, arg + args
end
return replies
