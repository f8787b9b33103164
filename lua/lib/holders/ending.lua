-- Whether the end of the current grant is settled, so that nobody can extend it: somebody breaks the lock, and has left
-- its holder a grace; or its holder has given the lock back for later.
local function is_ending(lock)
  local breaking, released = unpack(redis.call('HMGET', lock, 'breaking', 'released'))
  return breaking or released
end
