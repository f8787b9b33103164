-- Where the spaces of the place `of` are: behind its id, and behind the channel of its replica, if an owner follows. Patterns
-- would cost twice as much.
local one = string.find(of, ' ', 1, true)
local two = string.find(of, ' ', one + 1, true)
