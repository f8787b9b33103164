-- The wall clock of this node, as text: `us` and `ms` since 1970. It is read once in a call, so all requests of a batch
-- see the same moment. It is text because the text of a number costs more than TIME itself.
local moment
local function clock()
  if not moment then
    local time = redis.call('TIME')
    local micros = string.sub('00000' .. time[2], -6)
    moment = {us = time[1] .. micros, ms = time[1] .. string.sub(micros, 1, 3)}
  end
  return moment
end

-- The ms since 1970 as a number.
local function now_ms()
  return tonumber(clock().ms)
end
