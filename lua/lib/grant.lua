--- include time
--- constant FENCE_KEPT
-- Grants a lock that nobody holds, for `lease` ms, to the identity `by` if one is known. `fence_key` has the last fence. Returns the
-- fence and the ms since 1970 at which the lock was granted, both as text; and the last fence before, if there is one.
local function grant(lock, fence_key, id, token, owner, metadata, lease, by)
  local call = redis.call
--- inline grant
  return fence, now, last
end
