--- include number
--- include clock
--- include keys
--- include holders/add
--- constant FENCE_KEPT
-- Grants a lock that nobody holds, for `lease` ms. Returns the reply, with the fence and the ms since 1970 at which the
-- lock was granted as text.
--
-- The fence is the clock or, if that is larger, one more than the last fence. The clock keeps fences rising if Redis
-- loses writes, and the last fence keeps them rising while the clock stands still or steps back.
local function grant(lock, id, token, owner, metadata, lease)
  local fence_key, fence, now = beside(lock, 'fence'), clock()
  local last = redis.call('GET', fence_key)
  if last and last + 1 > tonumber(fence) then fence = whole(last + 1) end
  redis.call('SET', fence_key, fence, 'PX', FENCE_KEPT)
  add_holder(lock, id, token, owner, metadata, fence, now, whole(now + lease))
  return {'granted', fence, now}
end
