--- include acquire
--- include number
-- Asks again for a lock that the attempt waits for. Returns the reply of claim.lua.
local function claim(lock, req)
  local seen = acquire_remembered(lock, req, req.wait) or acquire_replaced(lock, req)
  if seen then return seen end
  acquire_dismiss(lock, req, function(place) acquire_leave(lock, place, 'superseded') end)
  local block, others_wait = acquire_blocks(lock, req)
  if not block then return acquire_granted(lock, req, others_wait) end
  if acquire_meets_group(block) then return {'shared'} end
  if req.wait then return acquire_queued(lock, req, block) end
  -- The wait is over. With an Idempotency-Key the record keeps the place for a while.
  local reply = acquire_refused(lock, req, block)
  queue_remove(beside(lock, 'queue'), req.own, 'timeout')
  if req.arrived and req.named == req.own then
    acquire_note(req, {outcome = 'waiting', arrived = whole(req.arrived), place = req.own}, PLACE_KEPT)
  end
  return reply
end
