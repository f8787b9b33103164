--- include keys
--- include now
-- A holder in a group is the field '<id>' of the lock's hash. Its value is text, because cjson would rewrite the metadata:
-- '<secret> <fence> <permits> <created> <updated> <bytes of the owner> <owner> <metadata>'. The token of the holder is
-- '<id>.<secret>'. Where the end of a holder is settled, so that it can't extend, the field '<id>!' says why: 'breaking' or
-- 'released'. The field '<id>@' names the identity that took the part, if one is known.

local function holder_write(lock, id, holder)
  redis.call('HSET', lock, id, table.concat({holder.secret, holder.fence, holder.permits, holder.created, holder.updated,
    #holder.owner, holder.owner, holder.metadata}, ' '))
end

-- Notes which identity took the part of a holder, if one is known.
local function holder_taken(lock, id, by)
  if by then redis.call('HSET', lock, id .. '@', by) end
end

-- The holder that the value of a field describes.
local function holder_parse(text)
  local secret, fence, permits, created, updated, bytes, rest =
    string.match(text, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  return {
    secret = secret, fence = fence, permits = permits, created = created, updated = updated,
    owner = string.sub(rest, 1, bytes), metadata = string.sub(rest, bytes + 2),
  }
end

-- The holder with this id, or nothing.
local function holder_read(lock, id)
  local text = redis.call('HGET', lock, id)
  return text and holder_parse(text)
end

-- Notes why the end of a holder is settled.
local function holder_settle(lock, id, why)
  redis.call('HSET', lock, id .. '!', why)
end

-- Why the end of a holder is settled, or nothing.
local function holder_settled(lock, id)
  return redis.call('HGET', lock, id .. '!')
end

-- The holder with this id and when its lease ends (ms since 1970); nothing if its lease has ended, even if no script has
-- taken the holder out yet.
local function holder_live(lock, id)
  local holder = holder_read(lock, id)
  local expires = holder and redis.call('ZSCORE', beside(lock, 'holders'), id .. ' ' .. holder.permits)
  if expires and tonumber(expires) > now_ms() then return holder, tonumber(expires) end
end

-- The id and the secret of a token of a group; nothing for any other token.
local function token_parts(token)
  return string.match(token or '', '^([^.]+)%.(%S+)$')
end
