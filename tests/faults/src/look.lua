#!lua flags=no-writes
-- What an observer sees of a lock.
--
-- KEYS  1 lock   2 holders   3 queue   4 turn
-- Replies
--   a list of lines: 'place <arrived> <place>', 'grant <fence> <owner>' for each grant that stands, 'counts <used> <permits that the
--   holders have> <reserved> <permits that the called waiters want>', and 'idle <owner>' if the first waiter could have the
--   lock and has no turn, or its turn is over; 'missed <owner>' if no lease has ended before the first waiter could join a
--   group, so that a script must have seen it. Nothing from a node that is not a master.
if not string.find(redis.call('INFO', 'replication'), 'role:master', 1, true) then return {} end
local lock, holders, queue, turn = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lines = {}

local function share(place) return string.match(place, '^[^ *]+%*(%d+)/') end

local places = redis.call('ZRANGE', queue, 0, -1, 'WITHSCORES')
for index = 1, #places, 2 do lines[#lines + 1] = 'place ' .. places[index + 1] .. ' ' .. places[index] end

local id, mode, fence, used, limit, bound, reserved, owner =
  unpack(redis.call('HMGET', lock, 'id', 'mode', 'fence', 'used', 'limit', 'bound', 'reserved', 'owner'))
local live, free = 0, not fence
if id then lines[#lines + 1] = 'grant ' .. fence .. ' ' .. owner end
if mode then
  local held, called = 0, 0
  local members = redis.call('ZRANGE', holders, 0, -1, 'WITHSCORES')
  for index = 1, #members, 2 do
    local holder, permits = string.match(members[index], '^(%S+) (%d+)$')
    held = held + permits
    if tonumber(members[index + 1]) > now then
      live = live + permits
      local text = redis.call('HGET', lock, holder) or ''
      local of, bytes, rest = string.match(text, '^%S+ (%d+) %S+ %S+ %S+ (%d+) (.*)$')
      lines[#lines + 1] = 'grant ' .. (of or '0') .. ' ' .. string.sub(rest or '', 1, bytes or 0)
    end
  end
  for index = 1, #places, 2 do
    if tonumber(places[index + 1]) <= tonumber(bound) then called = called + (share(places[index]) or 0) end
  end
  lines[#lines + 1] = string.format('counts %d %d %d %d', used, held, reserved, called)
  free = live == 0
end

local first, arrived = places[1], tonumber(places[2])
if first then
  local since, whose = string.match(redis.call('GET', turn) or '', '^(%d+) (.*)$')
  local has_turn = whose == first and now < since + 1000
  local permits = share(first)
  local most = limit ~= 'none' and tonumber(limit) or math.huge
  local wants = mode and permits and arrived > tonumber(bound) and reserved + permits
  local idle = wants and used + wants <= most and 'missed ' or (free or wants and live + wants <= most) and 'idle '
  if idle and not has_turn then lines[#lines + 1] = idle .. string.match(first, '^%S+ %S+ (.*)$') end
end
return lines
