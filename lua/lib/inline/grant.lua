--- inline fence
call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
  'created', now, 'updated', now)
if by then call('HSET', lock, 'by', by) end
--- inline expires
call('PEXPIREAT', lock, expires)
