-- Whether the grant with this id holds the lock.
local function is_holder(lock, id)
  return redis.call('HGET', lock, 'id') == id
end
