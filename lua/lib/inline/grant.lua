--- inline fence
call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
  'created', now, 'updated', now)
if by then call('HSET', lock, 'by', by) end
-- As lib/number.lua makes the text of a large number, without a function.
local expires = now + lease
expires = string.format('%d%07d', expires / 10000000, expires % 10000000)
call('PEXPIREAT', lock, expires)
