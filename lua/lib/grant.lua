--- include fence
--- include holders/add
-- Grants a lock that nobody holds, for `lease` ms. Returns the reply, with the fence and the ms since 1970 at which the
-- lock was granted as text.
local function grant(lock, id, token, owner, metadata, lease)
  local fence, now = next_fence(lock)
  add_holder(lock, id, token, owner, metadata, fence, now, whole(now + lease))
  return {'granted', fence, now}
end
