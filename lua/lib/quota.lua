--- include keys
--- include now
-- The quota of an identity that may hold only so many locks, over all replicas. The set `held:<identity>` has
-- '<id> <key of the lock>' of each of its grants. A release, a break and the end of a lease leave the set as it is, so that
-- only requests of this identity pay for its quota: where the set has as many members as may be, those are taken out whose
-- grants have ended. The set never expires, because a grant may be extended for ever.

-- Whether a member of the set still holds its lock.
local function quota_holds(member)
  local id, lock = string.match(member, '^(%S+) (.*)$')
  local alone, shared = unpack(redis.call('HMGET', lock, 'id', id))
  if not shared then return alone == id end
  -- A holder whose lease has ended may still be in its group.
  local permits = string.match(shared, '^%S+ %d+ (%d+) ')
  local expires = permits and redis.call('ZSCORE', beside(lock, 'holders'), id .. ' ' .. permits)
  return expires and tonumber(expires) > now_ms()
end

-- The refusal of a request whose identity holds as many locks as it may, or nothing. `is_granted` says whether the request
-- is granted the lock otherwise: then the grant counts from now on.
local function quota_reached(lock, req, is_granted)
  local _, _, key, most = unpack(req.rank, 1, 4)
  if not key then return nil end
  local held = redis.call('SCARD', key)
  if held >= most then
    for _, member in ipairs(redis.call('SMEMBERS', key)) do
      if not quota_holds(member) then held = held - redis.call('SREM', key, member) end
    end
  end
  if held >= most then return {'over', held} end
  if is_granted then redis.call('SADD', key, req.id .. ' ' .. lock) end
end
