-- A key that belongs to a lock, in the slot of the lock: `gorilla:{a}:queue` beside `gorilla:{a}:lock`. Scripts make
-- key names only here.
local function beside(lock, what)
  return string.sub(lock, 1, -5) .. what
end
