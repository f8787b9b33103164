-- What the keys of a lock begin with: `gorilla:{a}:`. Scripts make key names only with this.
local stem = string.sub(lock, 1, -5)
