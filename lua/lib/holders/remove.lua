--- include events
-- Ends the current grant. `kind` and what follows say how, as in lib/events.lua.
local function remove_holder(lock, kind, ...)
  if recorded() then note_end(kind, lock, ...) end
  redis.call('DEL', lock)
end
