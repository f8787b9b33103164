--- include queue
-- Whose turn it is to claim a lock that is free: the first in the queue was woken, and has a second.
local turn = {}

-- How long a waiter that was woken may take to claim the lock (ms).
local TURN = 1000

-- The first place of the queue of a lock, when it arrived, and how long its turn still lasts (ms; nil if it has none). A
-- turn that passed without a claim costs the replica all its places: it is gone, or too slow to be waited for once more. If
-- nobody has looked for a whole turn since, then no replica was there to come back to, and the turn begins anew.
function turn.first(lock)
  local key, turn_key = beside(lock, 'queue'), beside(lock, 'queue:turn')
  local first, arrived = queue.head(key)
  local since, whose = string.match(first and redis.call('GET', turn_key) or '', '^(%d+) (.*)$')
  if not first or whose ~= first then return first, arrived end
  local left = since + TURN - math.floor(now_us() / 1000)
  -- More than a whole turn is left if the clock stepped back.
  if left > 0 then return first, arrived, math.min(left, TURN) end
  if left < -TURN then return first, arrived end
  local channel = place.channel(first)
  queue.drop(key, redis.call('ZRANGE', key, '0', '-1'), function(_, other) return other == channel end)
  redis.call('DEL', turn_key)
  return queue.head(key)
end

-- For a lock that is free: gives the turn to the first in the queue, by a message to its replica, unless it has the turn
-- already. Returns how long that lasts (ms), 0 if nobody waits.
function turn.give(lock)
  local key, turn_key = beside(lock, 'queue'), beside(lock, 'queue:turn')
  local first, _, left = turn.first(lock)
  if not first then
    redis.call('DEL', turn_key)
    return 0
  end
  if left then return left end
  local id, channel = place.parts(first)
  local expiry = math.max(redis.call('PTTL', key), TURN)
  redis.call('SET', turn_key, whole(math.floor(now_us() / 1000)) .. ' ' .. first, 'PX', expiry)
  redis.call('PUBLISH', channel, id)
  return TURN
end

-- Ends the turn that stands.
function turn.take(lock)
  redis.call('DEL', beside(lock, 'queue:turn'))
end
