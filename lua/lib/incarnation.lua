--- include number
--- include now
--- constant GRACE
-- After Redis may have lost data, grants wait for GRACE ms, from when a script first saw a new incarnation of the data.
-- The replication id of Redis names the incarnation: it changes with each promotion and each restart. The key has the
-- incarnation seen last, and until when grants wait. A flush deletes the key together with the data.

-- How long grants still wait (ms; 0 if they don't). The second result says whether this call saw the incarnation first.
local function recovery(key)
  local replid = assert(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 'no master_replid in INFO')
  local now = now_ms()
  local seen, over = string.match(redis.call('GET', key) or '', '^(%x+) (%d+)$')
  -- More than the whole grace is left if the clock stepped back.
  if seen == replid then return math.max(0, math.min(over - now, GRACE)), false end
  redis.call('SET', key, replid .. ' ' .. whole(now + GRACE))
  return tonumber(GRACE), true
end
