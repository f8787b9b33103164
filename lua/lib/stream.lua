--- constant EVENTS
-- The stream in which changes are recorded while somebody listens; false if nothing is ever recorded.
local STREAM = EVENTS ~= '' and EVENTS
