-- Whether the grant with this id holds the lock, alone or in a group, whose hash has a field with this name.
local function is_holder(lock, id)
  local held = redis.call('HMGET', lock, 'id', id)
  return held[1] == id or held[2]
end
