--- include acquire
--- include group/limit
--- constant HOLDERS
-- An acquire of either mode, where a group holds the lock or is about to: the general form of lib/acquire.lua and
-- lib/claim.lua.

-- Answers a copy of a shared request that was granted the lock.
local function rejoined(lock, group, reply)
  local holder = group and holder_read(lock, reply[4])
  if not holder then return {'gone'} end
  local _, fence, created, id, token, ttl = unpack(reply)
  return {'rejoined', fence, created, id, token, ttl, holder.permits, group.limit, group.floor}
end

-- Whether a shared request may enter a group now.
local function join_may_enter(lock, group, req, permits)
  local key = beside(lock, 'queue')
  local score = redis.call('ZSCORE', key, req.named)
  if score then return tonumber(score) <= group.bound end
  local fits = group_fits(group, permits)
  if req.arrived and req.arrived <= group.bound then
    -- Its place was lost, and it comes before others that were called. If it doesn't fit now, they must wait for it.
    if not fits then group_uncall(group) end
    return fits
  end
  local before = req.arrived and '(' .. whole(req.arrived) or '+inf'
  return fits and redis.call('ZCOUNT', key, '(' .. whole(group.bound), before) == 0
end

-- What prevents that the request enters the group: as acquire_blocks.
local function join_blocks(lock, group, req, permits)
  local recovering = req.share and acquire_recovers()
  if recovering then
    group_uncall(group)
    turn_take(lock)
    return {left = recovering, recovering = true}
  end
  local turn = group_call(lock, group)
  if req.share and join_may_enter(lock, group, req, permits) then return nil end
  local left = group_next_end(lock, group)
  return {left = turn > 0 and math.min(turn, left) or left, holder = {nil, group.floor}, is_group = true}
end

-- Makes the request a holder of the group, or of a new group. Returns the reply.
local function join_granted(lock, group, req, permits, limit)
  group_leave_queue(lock, group or {bound = 0}, req.own)
  if req.named ~= req.own then group_leave_queue(lock, group or {bound = 0}, req.named) end
  local fence, now = next_fence(lock)
  group = group or group_new(lock, limit, fence)
  group.used = group.used + permits
  local secret = select(2, token_parts(req.token))
  holder_write(lock, req.id, {secret = secret, fence = fence, permits = permits, created = now, updated = now,
    owner = req.owner, metadata = req.metadata})
  group_until(lock, req.id, permits, now + req.lease)
  local turn = group_changed(lock, group)
  if turn == 0 then queue_tell(beside(lock, 'queue'), req.channel, group_next_end(lock, group), group.floor) end
  acquire_note(req, {outcome = 'acquired', id = req.id, token = req.token, fence = fence, created = now}, WINDOW)
  return {'joined', fence, now, turn, permits, limit, group.floor}
end

-- Takes the place of a request out of the queue, which may let others in.
local function join_leave(lock, group, req)
  if not group then
    redis.call('ZREM', beside(lock, 'queue'), req.own)
    return
  end
  group_leave_queue(lock, group, req.own)
  group_changed(lock, group)
end

-- The refusal of a request because of a group, from the refusal because of a holder.
local function join_crowd(lock, group, reply)
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  local _, _, _, _, waiting, position = unpack(reply)
  return {'crowd', owner, fence, redis.call('PTTL', lock), waiting, position, group.used, group.limit,
    redis.call('ZCARD', beside(lock, 'holders'))}
end

-- Refuses a request that doesn't wait, or whose wait is over.
local function join_refused(lock, group, req, block)
  local reply = acquire_refused(lock, req, block)
  if block.is_group then reply = join_crowd(lock, group, reply) end
  if not req.again then
    if group then group_close(lock, group) end
    return reply
  end
  join_leave(lock, group, req)
  -- With an Idempotency-Key the record keeps the place for a while.
  if req.arrived and req.named == req.own then
    acquire_note(req, {outcome = 'waiting', arrived = whole(req.arrived), place = req.own}, PLACE_KEPT)
  end
  return reply
end

-- Gives the request a place in the queue, unless it has one.
local function join_queued(lock, group, req, block, limit)
  local reply = acquire_queued(lock, req, block)
  if limit and reply[1] == 'queued' then redis.call('SET', beside(lock, 'limit'), limit, 'PX', LONGEST_ATTEMPT) end
  if group then
    if req.dropped then group_recount(lock, group) end
    group_changed(lock, group)
  end
  return reply
end

-- Asks for a lock, in whatever mode. Returns the reply of join.lua.
local function join(lock, req)
  local permits, named = string.match(req.share or '', '^%*(%d+)/(%d*)$')
  permits = tonumber(permits)
  local group = group_open(lock)
  local seen = acquire_remembered(lock, req, req.again and req.wait)
  if seen then return seen[1] == 'replayed' and permits and rejoined(lock, group, seen) or seen end

  local limit, other
  if permits then
    limit, other = limit_for(lock, group, permits, named, req.arrived)
    local most = tonumber(HOLDERS)
    local is_full = limit and group and redis.call('ZCARD', beside(lock, 'holders')) >= most
    if not limit or is_full then
      if req.again then join_leave(lock, group, req) end
      if limit then return {'crowded', most} end
      return {'limited', other}
    end
  end

  local block, others_wait
  if group then block = join_blocks(lock, group, req, permits) else block, others_wait = acquire_blocks(lock, req) end
  if block then return req.wait and join_queued(lock, group, req, block, limit) or join_refused(lock, group, req, block) end
  if not permits then return acquire_granted(lock, req, others_wait) end
  if others_wait then turn_take(lock) end
  return join_granted(lock, group, req, permits, limit)
end
