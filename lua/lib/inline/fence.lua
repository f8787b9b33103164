--- inline clock
-- One command writes the clock and tells the last fence.
local fence, now = us, ms
local last = call('SET', fence_key, fence, 'PX', FENCE_KEPT, 'GET')
-- Texts of one length are compared as their numbers are, and that costs less.
if last and (#last ~= #fence or last >= fence) then
  local number = tonumber(last)
  if not number or number >= tonumber(fence) then
    fence = number and string.format('%d%07d', (number + 1) / 10000000, (number + 1) % 10000000) or last
    call('SET', fence_key, fence, 'PX', FENCE_KEPT)
    -- It stays for people to look at.
    if not number then error('the last fence is not a number') end
  end
end
