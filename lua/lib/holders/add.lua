-- Makes `req` the holder for its lease. The numbers are text.
local function add_holder(lock, req, fence, created, expires)
  redis.call('HSET', lock, 'id', req.id, 'token', req.token, 'owner', req.owner, 'fence', fence,
    'metadata', req.metadata, 'created', created, 'updated', created)
  redis.call('PEXPIREAT', lock, expires)
end
