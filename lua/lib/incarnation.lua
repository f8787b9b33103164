--- include number
--- include clock
--- constant GRACE
-- After data may have been lost, grants wait for GRACE ms from when a new incarnation of the data was first seen. Redis names
-- an incarnation by its replication id, which changes with every promotion and every restart. The key has the last one
-- seen and until when grants wait, and goes with the data when they are flushed.

-- How long grants still wait (ms; 0 if they don't). The second result tells that the incarnation was seen just now.
local function recovery(key)
  local replid = assert(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 'no master_replid in INFO')
  local now = math.floor(now_us() / 1000)
  local seen, over = string.match(redis.call('GET', key) or '', '^(%x+) (%d+)$')
  -- More than the whole grace is left if the clock stepped back.
  if seen == replid then return math.max(0, math.min(over - now, GRACE)), false end
  redis.call('SET', key, replid .. ' ' .. whole(now + GRACE))
  return tonumber(GRACE), true
end
