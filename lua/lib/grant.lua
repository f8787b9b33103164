--- include fence
--- include events
-- Grants a lock that nobody holds, for `lease` ms. Returns the reply, with the fence and the ms since 1970 at which the
-- lock was granted as text. `joined` is when the request joined the queue (microseconds), if it did.
local function grant(lock, id, token, owner, metadata, lease, joined)
  local fence, now, last = next_fence(lock)
  redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence,
    'metadata', metadata, 'created', now, 'updated', now)
  local ends = whole(now + lease)
  redis.call('PEXPIREAT', lock, ends)
  if recorded() then note_granted(lock, id, owner, fence, ends, last, joined, metadata) end
  return {'granted', fence, now}
end
