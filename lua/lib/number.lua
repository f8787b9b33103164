-- A whole number up to 2^53 as text, because concatenation would turn a fence into '1.79e+15'. In two halves: `%d` takes
-- what a C long holds, which may have 32 bits, and `%.0f` three times as long. Redis prints each number that it is called
-- with as one of 17 digits, so numbers that are known stand as text in calls.
local function whole(number)
  if number < 10000000 then return string.format('%d', number) end
  return string.format('%d%07d', number / 10000000, number % 10000000)
end
