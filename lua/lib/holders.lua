-- The holders of a lock, here of the exclusive kind: at most one holder, in a hash at the key of the lock. Another kind
-- of lock is another file with these five functions, which are all that queue, turn, records and fences need of a kind.
local holders = {}

-- The holder that prevents a grant to `req`: {owner, fence}, or nothing.
function holders.blocks(lock, req)
  local held = redis.call('HMGET', lock, 'owner', 'fence')
  return held[1] and held
end

-- Makes `req` the holder for its lease. The numbers are text.
function holders.add(lock, req, fence, created, expires)
  redis.call('HSET', lock, 'id', req.id, 'token', req.token, 'owner', req.owner, 'fence', fence,
    'metadata', req.metadata, 'created', created, 'updated', created)
  redis.call('PEXPIREAT', lock, expires)
end

-- Whether the grant with this id holds the lock.
function holders.find(lock, id)
  return redis.call('HGET', lock, 'id') == id
end

-- Ends the current grant.
function holders.remove(lock)
  redis.call('DEL', lock)
end

-- How long until a holder is gone, unless it extends (ms).
function holders.next_end(lock)
  return redis.call('PTTL', lock)
end
