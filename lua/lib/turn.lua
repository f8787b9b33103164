--- include number
--- include queue
-- The turn: the first waiter in the queue of a free lock was woken, and has a second to claim the lock.

--- inline turn

-- The first place of the queue of a lock, when it arrived, and how long its turn still lasts (ms; nil if it has none).
-- If a turn passed without a claim, the replica of the waiter loses all its places: it is gone, or so slow that the
-- others must not wait for it again. If no replica has looked for a whole turn since, there was no replica that the
-- client could have come back to, and the turn begins anew.
local function turn_first(lock)
  local key, turn_key = beside(lock, 'queue'), beside(lock, 'queue:turn')
  local first, arrived = queue_head(key)
  local since, whose = string.match(first and redis.call('GET', turn_key) or '', '^(%d+) (.*)$')
  if not first or whose ~= first then return first, arrived end
  local left = since + TURN - now_ms()
  -- More than a whole turn is left if the clock stepped back.
  if left > 0 then return first, arrived, math.min(left, TURN) end
  if left < -TURN then return first, arrived end
  local channel = place_channel(first)
  queue_drop(key, redis.call('ZRANGE', key, '0', '-1'), function(_, other) return other == channel end)
  redis.call('DEL', turn_key)
  return queue_head(key)
end

-- For a free lock: gives the turn to the first waiter in the queue, with a message to its replica, unless the waiter
-- has the turn already. Returns how long the turn lasts (ms; 0 if nobody waits).
local function turn_give(lock)
  local key, turn_key = beside(lock, 'queue'), beside(lock, 'queue:turn')
  local first, _, left = turn_first(lock)
  if not first then
    redis.call('DEL', turn_key)
    return 0
  end
  if left then return left end
  local id, channel = place_parts(first)
  local expiry = math.max(redis.call('PTTL', key), TURN)
  redis.call('SET', turn_key, whole(now_ms()) .. ' ' .. first, 'PX', whole(expiry))
  redis.call('PUBLISH', channel, id)
  return TURN
end

-- Ends the current turn.
local function turn_take(lock)
  redis.call('DEL', beside(lock, 'queue:turn'))
end
