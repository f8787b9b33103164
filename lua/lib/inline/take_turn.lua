-- Takes the place of the request, the first, out of the queue, grants the lock, and tells the replica of the next waiter how
-- long the grant lasts, as lib/queue.lua does.
call('ZREM', queue, first)
local fence_key = stem .. 'fence'
--- inline grant
if second then
  local of = second
--- inline place
  local other = string.sub(of, one + 1, two and two - 1)
  if other ~= channel then call('PUBLISH', other, lease .. ' ' .. fence .. ' ' .. queue) end
end
