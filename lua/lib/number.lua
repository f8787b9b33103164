-- A whole number up to 2^53 as text, because concatenation would turn a fence into '1.79e+15'. In two halves, because
-- `%d` takes a C long, which may have 32 bits, and `%.0f` takes three times as long. Redis prints each number in a call
-- with 17 digits, so numbers that are known stand as text in calls. Redis 7.2.0 to 7.2.4 even prints 1.8e+12 for
-- 1800000000000, which no command takes for a time: so a number that may be large goes into a call as text.
local function whole(number)
  if number < 10000000 then return string.format('%d', number) end
  return string.format('%d%07d', number / 10000000, number % 10000000)
end
