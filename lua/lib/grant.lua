--- include fence
-- Grants a lock that nobody holds, for `lease` ms, to the identity `by` if one is known. Returns the reply, with the fence and the ms since 1970 at which the
-- lock was granted as text; and the last fence before, if there is one.
local function grant(lock, id, token, owner, metadata, lease, by)
  local fence, now, last = next_fence(lock)
  redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence,
    'metadata', metadata, 'created', now, 'updated', now)
  if by then redis.call('HSET', lock, 'by', by) end
  redis.call('PEXPIREAT', lock, whole(now + lease))
  return {'granted', fence, now}, last
end
