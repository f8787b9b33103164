--- include number
--- include clock
--- include keys
--- include holders/add
--- constant FENCE_KEPT
-- Grants a lock that nobody holds. Returns the reply, with the fence as text and the ms since 1970 at which it was
-- created.
--
-- The fence is the clock or, if that is larger, one more than the last fence. The clock keeps fences rising if Redis
-- loses writes, and the last fence keeps them rising while the clock stands still or steps back.
local function grant(lock, req)
  local fence_key = beside(lock, 'fence')
  local now = now_us()
  local fence = whole(math.max(now, tonumber(redis.call('GET', fence_key) or 0) + 1))
  local created = math.floor(now / 1000)
  redis.call('SET', fence_key, fence, 'PX', FENCE_KEPT)
  add_holder(lock, req, fence, whole(created), whole(created + req.lease))
  return {'granted', fence, created}
end
