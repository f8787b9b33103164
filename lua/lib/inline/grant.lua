--- inline fence
redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
  'created', now, 'updated', now)
if by then redis.call('HSET', lock, 'by', by) end
redis.call('PEXPIREAT', lock, whole(now + lease))
