--- include clock
-- The clock in ms since 1970.
local function now_ms()
  local _, ms = clock()
  return tonumber(ms)
end
