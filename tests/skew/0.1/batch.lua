-- Runs a script for many requests, one after another, as if each had come alone. The store puts the script before this
-- text as the function `one`, which takes the KEYS and ARGV of one request and leaves them as they are.
--
-- KEYS  those of all requests, equally many for each
-- ARGV  1 how many KEYS each request has   2 at which places their ARGV differ, separated by spaces
--       then the ARGV of the first request, and those of each further one at these places
-- Replies
--   a list with what the script replies to each; where it fails for one, the error in its place, and the others go on

local width, differing = tonumber(ARGV[1]), {}
for place in string.gmatch(ARGV[2], '%d+') do differing[#differing + 1] = tonumber(place) end
local requests = #KEYS / width
local args = {unpack(ARGV, 3, #ARGV - (requests - 1) * #differing)}
local replies, rest = {}, 2 + #args
for request = 1, requests do
  if request > 1 then
    for index, place in ipairs(differing) do args[place] = ARGV[rest + index] end
    rest = rest + #differing
  end
  local done, reply = pcall(one, {unpack(KEYS, (request - 1) * width + 1, request * width)}, args)
  if not done then reply = redis.error_reply(tostring(reply)) end
  replies[request] = reply
end
return replies
