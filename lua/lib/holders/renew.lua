-- What Redis has of the grant with this id: {token, fence, created, updated, ttl}, all but the last as text; or nothing, if it
-- does not hold the lock.
local function holder_held(lock, id)
  local current, token, fence, created, updated =
    unpack(redis.call('HMGET', lock, 'id', 'token', 'fence', 'created', 'updated'))
  if current ~= id then return nil end
  return {token = token, fence = fence, created = created, updated = updated, ttl = redis.call('PTTL', lock)}
end

-- Has the grant with this id, which holds the lock, end at `ends`, and notes when it was updated. The times are text.
local function renew_holder(lock, id, ends, updated)
  redis.call('HSET', lock, 'updated', updated)
  redis.call('PEXPIREAT', lock, ends)
end
