-- Makes the grant with this id the holder, until `expires`. The numbers are text.
local function add_holder(lock, id, token, owner, metadata, fence, created, expires)
  redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence,
    'metadata', metadata, 'created', created, 'updated', created)
  redis.call('PEXPIREAT', lock, expires)
end
