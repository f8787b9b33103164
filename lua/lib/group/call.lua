--- include number
--- include turn
--- include group/group
--- include stale
-- Calls waiters of a shared lock. A waiter that was called may join the group, in whatever order the called waiters come.

-- Waiters that one script calls, at most. The claims of those that were called call the others.
local MOST_CALLED = 1024
-- Places that are read at once.
local AT_ONCE = 16

-- The permits that a place wants, and the limit that it named ('' if it named none); nothing if it wants the lock alone.
local function place_share(of)
  local permits, limit = string.match(of, '^[^ *]+%*(%d+)/(%d*) ')
  return tonumber(permits), limit
end

-- Forgets who was called.
local function group_uncall(group)
  group.bound, group.reserved = 0, 0
end

-- Counts again which permits the called waiters want, after places have left the queue.
local function group_recount(lock, group)
  group.reserved = 0
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', beside(lock, 'queue'), '-inf', whole(group.bound))) do
    group.reserved = group.reserved + (place_share(place) or 0)
  end
end

-- Takes a place out of the queue, if it is there; `cause` as in lib/queue.lua.
local function group_leave_queue(lock, group, place, cause)
  local key = beside(lock, 'queue')
  local score = redis.call('ZSCORE', key, place)
  if not score then return end
  queue_remove(key, place, cause)
  if tonumber(score) <= group.bound then group.reserved = group.reserved - (place_share(place) or 0) end
end

-- Calls the waiters behind those that were called, as long as each of them fits. The first that doesn't fit holds up all
-- that came later.
local function group_call_more(lock, group)
  local key, channels, called, next_one = beside(lock, 'queue'), {}, 0, nil
  repeat
    local places = redis.call('ZRANGEBYSCORE', key, '(' .. whole(group.bound), '+inf', 'WITHSCORES', 'LIMIT', '0', AT_ONCE)
    for index = 1, #places, 2 do
      local permits = place_share(places[index])
      if permits and group_fits(group, permits) and called < MOST_CALLED then
        group.reserved, group.bound, called = group.reserved + permits, tonumber(places[index + 1]), called + 1
        channels[place_channel(places[index])] = true
      -- The place of a replica that died would hold up the others for as long as there is a group.
      elseif not queue_drop(key, {places[index]}, place_is_stale) then
        next_one = places[index]
        break
      end
    end
  until next_one or #places < 2 * AT_ONCE
  for channel in pairs(channels) do
    redis.call('PUBLISH', channel, 'call ' .. whole(group.bound) .. ' ' .. key)
  end
  if not next_one then return end
  local id, channel = place_parts(next_one)
  if (place_share(next_one) or 0) > group_most(group) then
    -- The limit was lowered. When this waiter asks again, it is told so and leaves the queue.
    redis.call('PUBLISH', channel, id)
  elseif called > 0 then
    -- Should the replicas of the called waiters and of this call die together, somebody must look.
    redis.call('PUBLISH', channel, TURN .. ' ' .. group.floor .. ' ' .. key)
  end
end

-- Calls waiters that fit. The first of those that were called has the turn: if it doesn't come in time, its replica loses
-- its places, as in lib/turn.lua. Returns how long the turn lasts (ms; 0 if nobody was called).
local function group_call(lock, group)
  local key, turn_key = beside(lock, 'queue'), beside(lock, 'queue:turn')
  if redis.call('EXISTS', key) == 0 then
    group_uncall(group)
    redis.call('DEL', turn_key)
    return 0
  end
  while true do
    group_call_more(lock, group)
    local first, arrived = queue_head(key)
    -- A waiter that wants the lock alone may have come back to its place, after others were called.
    if first and not place_share(first) then group_uncall(group) end
    if not first or arrived > group.bound then
      group.reserved = 0
      redis.call('DEL', turn_key)
      return 0
    end
    local since, whose = string.match(redis.call('GET', turn_key) or '', '^(%d+) (.*)$')
    local left = whose == first and since + TURN - now_ms()
    if left and left > 0 then return math.min(left, TURN) end
    if not left or left < -TURN then
      -- If nobody has looked for long, the message may have reached nobody.
      if left then redis.call('PUBLISH', place_channel(first), 'call ' .. whole(group.bound) .. ' ' .. key) end
      redis.call('SET', turn_key, whole(now_ms()) .. ' ' .. first, 'PX',
        whole(math.max(redis.call('PTTL', key), TURN)))
      return TURN
    end
    local channel = place_channel(first)
    queue_drop(key, redis.call('ZRANGE', key, '0', '-1'), function(_, other) return other == channel end)
    redis.call('DEL', turn_key)
    group_recount(lock, group)
  end
end

-- After a change of a group: calls waiters and writes the group. If the group has ended, gives the turn to the first waiter.
-- Returns how long the turn lasts (ms; 0 if nobody has the turn).
local function group_changed(lock, group)
  local last = group_last(lock)
  if not last then
    redis.call('DEL', lock, beside(lock, 'holders'))
    return turn_give(lock)
  end
  local turn = group_call(lock, group)
  group_close(lock, group, last)
  return turn
end

-- Moves a queue on, whoever holds the lock. Returns as above.
local function group_move_on(lock)
  local group = group_open(lock)
  if group then return group_changed(lock, group) end
  return redis.call('EXISTS', lock) == 0 and turn_give(lock) or 0
end
