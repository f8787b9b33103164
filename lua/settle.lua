#!lua flags=allow-oom
-- Looks whether this is a new incarnation of the data, so that the time for which grants wait begins with the connection
-- and not with the first acquire.
--
-- KEYS  1 incarnation
-- Touches  nothing
-- Arguments
--   none
-- Replies
--   {'settled', ms until grants are made (0 if they are), 1 if the incarnation is a new one, else 0}

--- decide
--- include incarnation
local left, is_new = recovery(KEYS[1])
return {'settled', left, is_new and 1 or 0}
