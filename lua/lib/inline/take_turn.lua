-- Takes the place of the request, the first, out of the queue, grants the lock, and tells the replica of the next waiter how
-- long the grant lasts, as lib/queue.lua does.
call('ZREM', queue, first)
local fence_key = stem .. 'fence'
--- inline grant
if second then
  local after_id = string.find(second, ' ', 1, true)
  local after_channel = string.find(second, ' ', after_id + 1, true)
  local other = string.sub(second, after_id + 1, after_channel and after_channel - 1)
  if other ~= channel then call('PUBLISH', other, whole(lease) .. ' ' .. fence .. ' ' .. queue) end
end
