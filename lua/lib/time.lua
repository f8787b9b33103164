-- What this call has read of the clock: lib/clock.lua says what.
local us, ms
