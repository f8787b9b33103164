-- How long a waiter that was woken may take to claim the lock (ms).
local TURN = 1000
