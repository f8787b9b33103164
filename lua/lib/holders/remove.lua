--- include events
-- Ends the current grant. `kind` and what follows say how, as in lib/events.lua.
local function remove_holder(lock, kind, ...)
  local on = recorded()
  if on then on.ended(lock, kind, ...) end
  redis.call('DEL', lock)
end
