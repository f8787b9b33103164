--- inline fence
redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
  'created', now, 'updated', now)
redis.call('PEXPIREAT', lock, whole(now + lease))
