--- include clock
--- include keys
--- include stream
-- Records what happens to locks, for those who listen (docs/internals/events.md). Each change is noted when it is made, and
-- the end of the call writes all that was noted as one entry of a stream. The stream exists while somebody listens; while
-- there is none, nothing is noted. All but `recorded` is made only then: to define a function costs each call of a script.
-- For the same reason the parts `plain` of try.lua and release.lua note what they do themselves.

-- What notes changes; false if they are not recorded, and nil until this call has looked.
local events

-- What notes changes, if they are recorded: a table with the functions below. Redis is asked once in a call.
local function recorded()
  if events ~= nil then return events end
  events = STREAM and redis.call('EXISTS', STREAM) == 1 and {}
  if not events then return false end

  -- The longest metadata that an event has, in bytes; and how long it is remembered that the end of a lease was told (ms).
  local LONGEST_METADATA, TOLD = 256, '60000'
  local function since(ms) return math.max(0, math.floor(ms)) end

  function events.note(kind, lock, ...)
    local _, ms = clock()
    noted = noted or {}
    noted[#noted + 1] = cmsgpack.pack(3 + select('#', ...), kind, lock, ms, ...)
  end

  -- A grant to `to`: {id, owner, metadata, by; arrived and rank as an acquire has them}. `last` is the last fence before, false
  -- or nil if there is none; `permits` and `floor` are those of a shared lock.
  function events.granted(lock, to, fence, ends, last, permits, floor)
    local waited
    if to.arrived then
      -- A headstart has a request arrive earlier.
      waited = since((clock() - to.arrived - (to.rank and to.rank[1] or 0)) / 1000)
    end
    events.note('granted', lock, to.id, to.owner, fence, ends, waited, last or nil,
      #to.metadata <= LONGEST_METADATA and to.metadata or nil, permits, floor, to.by)
  end

  -- The end of the grant that has the lock alone, before it is removed.
  function events.ended(lock, kind, ...)
    local id, owner, fence, created = unpack(redis.call('HMGET', lock, 'id', 'owner', 'fence', 'created'))
    local _, ms = clock()
    if id then events.note(kind, lock, id, owner, fence, since(ms - created), ...) end
  end

  -- The end of a holder of a shared lock.
  function events.holder_ended(lock, id, holder, kind, ...)
    local _, ms = clock()
    events.note(kind, lock, id, holder.owner, holder.fence, since(ms - holder.created), ...)
  end

  -- That a lease has ended at `ends` by itself, unless that was told before. `kind` and what follows are another end that was
  -- settled. Returns whether it is told now.
  function events.expired(lock, of, ends, kind, ...)
    local told = beside(lock, 'told')
    if redis.call('SADD', told, of.fence) == 0 then return false end
    redis.call('PEXPIRE', told, TOLD)
    local held = of.created and since(ends - of.created) or nil
    if kind then events.note(kind, lock, of.id, of.owner, of.fence, held, ...)
    else events.note('expired', lock, of.id, of.owner, of.fence, held, ends) end
    return true
  end

  -- That a request waits no more.
  function events.left(lock, place, arrived, cause)
    local id, owner = string.match(place, '^([^ *]+)%S* %S+ (.*)$')
    events.note('left', lock, id, owner, since((clock() - arrived) / 1000), cause)
  end
  return events
end
