-- Ends the current grant.
local function remove_holder(lock)
  redis.call('DEL', lock)
end
