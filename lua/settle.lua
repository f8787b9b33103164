#!lua flags=allow-oom
-- Looks whether the data are a new incarnation, so that the time for which grants wait begins when a replica connects,
-- and not with the first acquire.
--
-- KEYS  1 incarnation
-- Touches  nothing
-- Arguments
--   none
-- Replies
--   {'settled', ms until grants are made again (0 if grants don't wait), 1 if the incarnation is new, else 0}

--- decide
--- include incarnation
local left, is_new = recovery(KEYS[1])
return {'settled', left, is_new and 1 or 0}
