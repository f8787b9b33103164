--- include group/group
-- What Redis has of the grant with this id: {token, fence, created, updated, ttl}, all but the last as text, and the holder in
-- the group if it is in one; or nothing, if it does not hold the lock, or its end is settled.
local function holder_held(lock, group, id)
  if group then
    local holder, ends = holder_live(lock, id)
    if not holder or holder_settled(lock, id) then return nil end
    return {token = id .. '.' .. holder.secret, fence = holder.fence, created = holder.created, updated = holder.updated,
      ttl = ends - now_ms(), in_group = holder}
  end
  local current, token, fence, created, updated, breaking, released =
    unpack(redis.call('HMGET', lock, 'id', 'token', 'fence', 'created', 'updated', 'breaking', 'released'))
  if current ~= id or breaking or released then return nil end
  return {token = token, fence = fence, created = created, updated = updated, ttl = redis.call('PTTL', lock)}
end

-- Has the grant with this id, which holds the lock, end at `ends`, with the time of its update in `held`. Times are text.
local function renew_holder(lock, group, id, held, ends)
  if not group then
    redis.call('HSET', lock, 'updated', held.updated)
    redis.call('PEXPIREAT', lock, ends)
    return
  end
  held.in_group.updated = held.updated
  holder_write(lock, id, held.in_group)
  group_until(lock, id, held.in_group.permits, tonumber(ends))
  group_close(lock, group)
end
