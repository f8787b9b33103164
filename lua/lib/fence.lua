--- include number
--- include clock
--- include keys
--- constant FENCE_KEPT
-- The fence of a new grant and the ms since 1970 at which it is made, both as text; and the last fence, if there is one.
--
-- The fence is the clock or, if that is larger, one more than the last fence. The clock keeps fences rising if Redis
-- loses writes, and the last fence keeps them rising while the clock stands still or steps back.
local function next_fence(lock)
  local fence_key, fence, now = beside(lock, 'fence'), clock()
  local last = redis.call('GET', fence_key)
  if last and last + 1 > tonumber(fence) then fence = whole(last + 1) end
  redis.call('SET', fence_key, fence, 'PX', FENCE_KEPT)
  return fence, now, last
end
