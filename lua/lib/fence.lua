--- include time
--- constant FENCE_KEPT
-- The fence of a new grant and the ms since 1970 at which it is made, both as text; and the last fence, if there is one.
-- `fence_key` has the last fence.
--
-- The fence is the clock or, if that is larger, one more than the last fence. The clock keeps fences rising if Redis
-- loses writes, and the last fence keeps them rising while the clock stands still or steps back.
local function next_fence(fence_key)
  local call = redis.call
--- inline fence
  return fence, now, last
end
