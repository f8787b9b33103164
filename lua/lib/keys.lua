-- The key of something that belongs to a lock, in the slot of the lock: `gorilla:{a}:queue` beside `gorilla:{a}:lock`. No key
-- is made anywhere else.
local function beside(lock, what)
  return string.sub(lock, 1, -5) .. what
end
