--- include number
-- What is special about a request: {headstart, replaces, held, most}.
--   headstart  how many microseconds before its arrival it counts as having arrived; 0 if it has no headstart
--   replaces   a text: if a later request with the same text joins the queue, the request is dismissed; absent if it has none
--   held       the set of what its identity holds, as in lib/quota.lua; absent if the identity may hold any number of locks
--   most       how many locks it may hold
--
-- The queue stays one sorted set: what scripts and replicas call the arrival of a request is its score there.

-- When a request that arrived at `now` counts as having arrived. It doesn't pass the waiters that were called already, of
-- which the last arrived at `called`.
local function rank_arrival(key, rank, now, called)
  local at = math.max(now - rank[1], (called or 0) + 1)
  -- No two requests arrive at the same time.
  while redis.call('ZRANGE', key, whole(at), whole(at), 'BYSCORE')[1] do at = at + 1 end
  return at
end

-- The key `queue:replaces:<text>` names the newest request that has joined the queue with this text, also when that request
-- is gone: '<when it counts as having arrived> <place>'. It expires when no waiter of before can be left.
local function rank_newest(lock, rank)
  return rank and rank[2] and beside(lock, 'queue:replaces:' .. rank[2])
end
