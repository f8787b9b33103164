--- include acquire
--- include fence
--- include group/limit
--- include number
--- constant HOLDERS
-- An acquire of either mode, where a group holds the lock or is about to: the general form of lib/acquire.lua and
-- lib/claim.lua.

-- As if nobody had been called.
local NO_GROUP = {bound = 0}

-- Answers a copy of a shared request that was granted the lock.
local function rejoined(lock, group, reply)
  local holder = group and holder_read(lock, reply[4])
  if not holder or holder_settled(lock, reply[4]) then return {'gone'} end
  local _, fence, created, id, token, ttl = unpack(reply)
  return {'rejoined', fence, created, id, token, ttl, holder.permits, group.limit, group.floor}
end

-- Whether a shared request may enter a group now.
local function join_may_enter(lock, group, req, permits)
  local key = beside(lock, 'queue')
  local score = redis.call('ZSCORE', key, req.named)
  if score then return tonumber(score) <= group.bound end
  if not group_fits(group, permits) then return false end
  local before = req.arrived and '(' .. whole(req.arrived) or '+inf'
  return redis.call('ZCOUNT', key, '(' .. whole(group.bound), before) == 0
end

-- What prevents that the request enters the group: as acquire_blocks. `is_reserved` says that there would be room for the
-- request, and earlier ones wait.
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
  return {left = turn > 0 and math.min(turn, left) or left, holder = {nil, group.floor}, is_group = true,
    called = group.bound, is_reserved = req.share and group_fits(group, permits)}
end

-- Takes the place of a request out of the queue, which may let others in; `cause` as in lib/queue.lua.
local function join_leave(lock, group, req, cause, recovering)
  group_leave_queue(lock, group or NO_GROUP, req.own, cause)
  if recovering then return group and group_close(lock, group) end
  if group then group_changed(lock, group) elseif redis.call('EXISTS', lock) == 0 then turn_give(lock) end
end

-- Makes the request a holder of the group, or of a new group. Returns the reply.
local function join_granted(lock, group, req, permits, limit)
  local over = req.rank and quota_reached(lock, req, true)
  if over then
    join_leave(lock, group, req, 'refused')
    return over
  end
  group_leave_queue(lock, group or NO_GROUP, req.own)
  if req.named ~= req.own then group_leave_queue(lock, group or NO_GROUP, req.named, 'superseded') end
  local fence, now, last = next_fence(beside(lock, 'fence'))
  group = group or group_new(lock, limit, fence)
  group.used = group.used + permits
  local secret = select(2, token_parts(req.token))
  holder_write(lock, req.id, {secret = secret, fence = fence, permits = permits, created = now, updated = now,
    owner = req.owner, metadata = req.metadata})
  holder_taken(lock, req.id, req.by)
  group_until(lock, req.id, permits, now + req.lease)
  local on = recorded()
  if on then on.granted(lock, req, fence, whole(now + req.lease), last, permits, group.floor) end
  local turn = group_changed(lock, group)
  if turn == 0 then queue_tell(beside(lock, 'queue'), req.channel, group_next_end(lock, group), group.floor) end
  if req.replaces then acquire_note_newest(req) end
  acquire_note(req, {outcome = 'acquired', id = req.id, token = req.token, fence = fence, created = now}, WINDOW)
  return {'joined', fence, now, turn, permits, limit, group.floor}
end

-- The refusal of a request because of a group, from the refusal because of a holder.
local function join_crowd(lock, group, reply)
  local owner, fence = unpack(redis.call('HMGET', lock, 'owner', 'fence'))
  local _, _, _, _, waiting, position = unpack(reply)
  return {'crowd', owner, fence, redis.call('PTTL', lock), waiting, position, group.used, group.limit,
    group_count(lock)}
end

-- Refuses a request that doesn't wait, or whose wait is over.
local function join_refused(lock, group, req, block)
  local reply = acquire_refused(lock, req, block)
  if block.is_reserved then
    reply = {'reserved', reply[5], reply[6]}
  elseif block.is_group then
    reply = join_crowd(lock, group, reply)
  end
  if not req.again then
    if group then group_close(lock, group) end
    return reply
  end
  join_leave(lock, group, req, 'timeout', block.recovering)
  -- With an Idempotency-Key the record keeps the place for a while.
  if req.arrived and req.named == req.own then
    acquire_note(req, {outcome = 'waiting', arrived = whole(req.arrived), place = req.own}, PLACE_KEPT)
  end
  return reply
end

-- Gives the request a place in the queue, unless it has one.
local function join_queued(lock, group, req, block, limit)
  local reply = acquire_queued(lock, req, block)
  local is_queued = reply[1] == 'queued'
  if limit and is_queued then limit_note(lock, limit) end
  if not group then return reply end
  if req.dropped then group_recount(lock, group) end
  -- Its place was lost and others were called instead. If it can't enter with them, they must wait for it.
  if is_queued and tonumber(reply[2]) <= group.bound then group_uncall(group) end
  -- While grants wait after a loss of data, a waiter that is called could only ask to be called again.
  if block.recovering then group_close(lock, group) else group_changed(lock, group) end
  return reply
end

-- Asks for a lock, in whatever mode. Returns the reply of join.lua.
local function join(lock, req)
  local permits, named = string.match(req.share or '', '^%*(%d+)/(%d*)$')
  permits = tonumber(permits)
  local group = group_open(lock)
  local seen = acquire_remembered(lock, req, req.again and req.wait)
  if seen then return seen[1] == 'replayed' and permits and rejoined(lock, group, seen) or seen end
  local replaced = acquire_replaced(lock, req)
  if replaced then return replaced end

  local limit, other
  if permits then
    limit, other = limit_for(lock, group, permits, named, req.arrived)
    local most = tonumber(HOLDERS)
    local is_full = limit and group and redis.call('ZCARD', beside(lock, 'holders')) >= most
    if not limit or is_full then
      if req.again then join_leave(lock, group, req, 'refused') end
      if limit then return {'crowded', most} end
      return {'limited', other}
    end
  end

  acquire_dismiss(lock, req, function(place)
    if group then group_leave_queue(lock, group, place, 'superseded') else acquire_leave(lock, place, 'superseded') end
  end)
  local block, others_wait
  if group then block = join_blocks(lock, group, req, permits) else block, others_wait = acquire_blocks(lock, req) end
  if block then return req.wait and join_queued(lock, group, req, block, limit) or join_refused(lock, group, req, block) end
  if not permits then return acquire_granted(lock, req, others_wait) end
  if others_wait then turn_take(lock) end
  return join_granted(lock, group, req, permits, limit)
end
