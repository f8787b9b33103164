--- inline clock
local fence, now, last = us, ms, redis.call('GET', fence_key)
-- Texts of one length are compared as their numbers are, and that costs less.
if last and (#last ~= #fence or last >= fence or not tonumber(last)) and last + 1 > tonumber(fence) then
  fence = whole(last + 1)
end
redis.call('SET', fence_key, fence, 'PX', FENCE_KEPT)
