-- The holder that prevents a grant to `req`: {owner, fence}, or nothing.
local function holders_block(lock, req)
  local held = redis.call('HMGET', lock, 'owner', 'fence')
  return held[1] and held
end
