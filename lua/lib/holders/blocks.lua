-- The holder that prevents a grant to `req`: {owner, fence, the mode if it is a group}, or nothing.
local function holders_block(lock, req)
  local held = redis.call('HMGET', lock, 'owner', 'fence', 'mode')
  return held[1] and held
end
