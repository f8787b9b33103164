--- include keys
--- include record
--- include holders/remove
--- constant WINDOW
-- Ends the grant of the caller, if the caller has its token. Wakes nobody. Returns the reply of a release, without the turn.
local function released(lock, req)
  local request = req.request and beside(lock, 'request:' .. req.request)
  local seen, other = record_recall(request, req.print)
  if other then return {'reused'} end
  if seen then return {'replayed'} end

  local current = redis.call('HGET', lock, 'token')
  -- A group has no token of this kind.
  if not current and redis.call('EXISTS', lock) == 0 then return {'missing'} end
  if current ~= req.token then return {'mismatch'} end

  remove_holder(lock, 'released')
  if request then record_write(request, {outcome = 'released', print = req.print}, WINDOW) end
  return {'released'}
end
