--- include time
-- The wall clock of this node, as text: the microseconds since 1970, and the ms. It is read once in a call, so all
-- requests of a batch see the same moment. It is text because the text of a number costs more than TIME itself.
local function clock()
  local call = redis.call
--- inline clock
  return us, ms
end
