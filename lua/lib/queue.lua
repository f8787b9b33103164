--- include number
--- include now
--- include keys
--- include place
-- The waiters of a lock, first come, first served. All replicas share the queue, which is a sorted set of places.

-- Takes out the places that `lost` picks, and tells their replicas. A replica that lives takes its places again. Returns
-- whether there were any.
local function queue_drop(key, places, lost)
  local told = {}
  for _, one in ipairs(places) do
    local channel = place_channel(one)
    if lost(one, channel) then
      redis.call('ZREM', key, one)
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
