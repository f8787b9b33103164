-- How a request queues, if not in order of arrival: {headstart}.
--   headstart  how many microseconds before its arrival it counts as having arrived; 0 if it has no headstart
-- The queue stays one sorted set: what scripts and replicas call the arrival of a request is its score there.

-- When a request that arrived at `now` counts as having arrived. It doesn't pass the waiters that were called already, of
-- which the last arrived at `called`.
local function rank_arrival(key, rank, now, called)
  local at = math.max(now - rank[1], (called or 0) + 1)
  -- No two requests arrive at the same time.
  while redis.call('ZCOUNT', key, whole(at), whole(at)) ~= 0 do at = at + 1 end
  return at
end
