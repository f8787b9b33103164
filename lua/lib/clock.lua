-- The wall clock of this node: microseconds since 1970, below 2^53. It is read once in a call, so all requests of a batch
-- see the same moment.
local now
local function now_us()
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  return now
end
