-- A key that belongs to a lock, in the slot of the lock: `gorilla:{a}:queue` beside `gorilla:{a}:lock`.
local function beside(lock, what)
--- inline stem
  return stem .. what
end
