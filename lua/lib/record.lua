-- The record of a request: what became of it. Its key is `<lock's stem>request:<name>`, and the name is an
-- Idempotency-Key or, without such a key, the id of the attempt. Beside the facts a record names attempts: those that
-- were cancelled, and those that were told of the grant from the record. Their number is bounded, and so is the length
-- of the record.
--
-- A record is a JSON list of strings, as in version 0.1: the outcome, its facts in the order below, and then the marks,
-- '-' or '+' before an id. Numbers are strings in the list: cjson keeps 14 digits, and a fence has 16.
--
-- Only the grant of a part of a set has the last fact, `ends`: when the lease ends that the commit of the set gave (ms since
-- 1970), and '0' before the commit. Version 0.1 keeps a fact that it doesn't know.

local FACTS = {
  acquired = 'print id token fence created ends',
  extended = 'print id token updated',
  released = 'print',
  broken = 'print id owner fence',
  waiting = 'print arrived place',
  replaced = 'print',
  cancelled = '',
}

-- The names of the facts of an outcome, in their order.
local function facts(outcome)
  local names = {}
  for name in string.gmatch(FACTS[outcome], '%S+') do names[#names + 1] = name end
  return names
end

-- The record at a key: {outcome, its facts by their names, cancelled, told}, the last two as lists; or nothing.
local function record_read(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local list = cjson.decode(text)
  local seen = {outcome = list[1], cancelled = {}, told = {}}
  local names = facts(seen.outcome)
  for index = 2, #list do
    local value = list[index]
    local sign = string.sub(value, 1, 1)
    local marked = sign == '-' and seen.cancelled or sign == '+' and seen.told
    if marked then marked[#marked + 1] = string.sub(value, 2) else seen[names[index - 1]] = value end
  end
  return seen
end

-- Writes a record and keeps it for so many ms; without `ms` as long as the record that it replaces.
local function record_write(key, seen, ms)
  local list = {seen.outcome}
  for _, name in ipairs(facts(seen.outcome)) do list[#list + 1] = seen[name] end
  for _, id in ipairs(seen.told or {}) do list[#list + 1] = '+' .. id end
  for _, id in ipairs(seen.cancelled or {}) do list[#list + 1] = '-' .. id end
  if ms then redis.call('SET', key, cjson.encode(list), 'PX', ms)
  else redis.call('SET', key, cjson.encode(list), 'KEEPTTL') end
end

-- The index of an id in a list of marks, or nothing.
local function record_find(marks, id)
  for index, other in ipairs(marks) do
    if other == id then return index end
  end
end

-- The record of an operation other than acquire; or nothing, if the request has no key, or there is no record, or only
-- marks of cancelled attempts: then the script decides the request anew. The second result says whether the record belongs
-- to another request.
local function record_recall(key, print)
  local seen = key and record_read(key)
  if not seen or seen.outcome == 'cancelled' then return nil end
  return seen, seen.print ~= print
end
