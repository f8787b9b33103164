#!lua
-- Tells the limit of a resource; pins or unpins it before, if the caller wants that.
--
-- KEYS  1 lock
-- Touches  queue queue:turn holders limit told
-- Arguments
--   change  'pin' or 'unpin', absent to change nothing
--   limit   to pin: how many permits all holders of the shared lock may have
-- Replies
--   {'limit', the limit in force ('none' if there is no limit), 1 if it is pinned, else 0}

--- decide
--- include group/limit
--- include number
local key = beside(lock, 'limit')
local group = group_open(lock)
if req.change == 'pin' then
  local limit = whole(req.limit)
  redis.call('SET', key, 'pinned ' .. limit)
  if group then
    -- Waiters that were called under another limit might not fit any more.
    group_uncall(group)
    group.limit = limit
    group_changed(lock, group)
  end
end
local pinned, hint = limit_pinned(lock)
if pinned and req.change == 'unpin' then
  redis.call('DEL', key)
  pinned = nil
end
return {'limit', pinned or group and group.limit or limit_waiting(lock, hint) or 'none', pinned and 1 or 0}
