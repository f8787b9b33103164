-- How long until a holder is gone, unless it extends (ms).
local function next_end(lock)
  return redis.call('PTTL', lock)
end
