-- The wall clock of this node, as text: the microseconds since 1970, and the ms. It is read once in a call, so all
-- requests of a batch see the same moment. It is text because the text of a number costs more than TIME itself.
local us, ms
local function clock()
  if not us then
    local time = redis.call('TIME')
    local micros = string.sub('00000' .. time[2], -6)
    us, ms = time[1] .. micros, time[1] .. string.sub(micros, 1, 3)
  end
  return us, ms
end
