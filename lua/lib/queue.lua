--- include number
--- include now
--- include keys
--- include place
--- include events
-- The waiters of a lock, first come, first served. All replicas share the queue, which is a sorted set of places.

-- Takes a place out. `cause` says why its request waits no more; absent if it is granted the lock. Returns whether the place
-- was there.
local function queue_remove(key, place, cause)
  local arrived = cause and recorded() and redis.call('ZSCORE', key, place)
  if arrived then
    local us = clock()
    local id, owner = string.match(place, '^([^ *]+)%S* %S+ (.*)$')
    -- The key of the queue is beside that of the lock.
    note('left', string.sub(key, 1, -6) .. 'lock', id, owner, math.max(0, math.floor((us - arrived) / 1000)), cause)
  end
  return redis.call('ZREM', key, place) == 1
end

-- Takes out the places that `lost` picks, and tells their replicas. A replica that lives takes its places again. Returns
-- whether there were any.
local function queue_drop(key, places, lost)
  local told = {}
  for _, one in ipairs(places) do
    local channel = place_channel(one)
    if lost(one, channel) then
      queue_remove(key, one, 'replica_lost')
      if not told[channel] then redis.call('PUBLISH', channel, key) end
      told[channel] = true
    end
  end
  return next(told) ~= nil
end

-- The first place and when it arrived, or nothing.
local function queue_head(key)
  local head = redis.call('ZRANGE', key, '0', '0', 'WITHSCORES')
  return head[1], tonumber(head[2])
end

-- Tells the replica of the first waiter how long a new grant lasts, so that the waiter asks when that lease ends,
-- whatever becomes of the holder and its replica. The replica with this channel gets the grant, and needs no message;
-- without a channel each replica needs it.
local function queue_tell(key, channel, lease, fence)
  local head = queue_head(key)
  local other = head and place_channel(head)
  if other and other ~= channel then redis.call('PUBLISH', other, whole(lease) .. ' ' .. fence .. ' ' .. key) end
end
