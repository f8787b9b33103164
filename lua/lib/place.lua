-- A place in a queue is a member '<id of the attempt> <channel of its replica> <owner>' of a sorted set. Its score is
-- when it arrived, in microseconds since 1970. Behind the id of a request that shares the lock stands its share:
-- '*<permits>/<limit>', without a limit if it named none.

local function place_of(req)
  return req.id .. (req.share or '') .. ' ' .. req.channel .. ' ' .. req.owner
end

-- The id of the attempt with its share, and the channel of its replica.
local function place_parts(of)
--- inline place
  return string.sub(of, 1, one - 1), string.sub(of, one + 1, two and two - 1)
end

local function place_channel(of)
  local _, channel = place_parts(of)
  return channel
end
