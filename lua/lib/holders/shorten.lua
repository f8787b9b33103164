--- include keys
--- include number
--- include queue
-- Has the current grant, with this fence, end in so many ms at the latest. The first waiter was told of a later end, so
-- its replica is told of this one, whichever replica that is. Returns how long the grant lasts (ms), and the same again if
-- somebody waits, else 0: a replica must then look whether the first waiter claims the lock, because the waiter that was
-- told may be gone by then.
local function shorten(lock, ms, fence)
  local left = redis.call('PTTL', lock)
  if left < 0 or left > ms then
    left = ms
    redis.call('PEXPIRE', lock, whole(ms))
  end
  local key = beside(lock, 'queue')
  queue_tell(key, nil, left, fence)
  return left, redis.call('EXISTS', key) == 1 and left or 0
end
