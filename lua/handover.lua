#!lua
-- Frees a lock, if the caller has its token, and has a waiter of the same replica claim the lock in the same step. So a
-- handover on one replica takes one call, and no message.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request queue:replaces request
-- Arguments
--   release_token    the current token
--   release_request  the Idempotency-Key of the release, if there is one
--   release_print    fingerprint of the release, only with an Idempotency-Key
--   id               this and the others as in claim.lua
--   token
--   owner
--   metadata
--   lease
--   request
--   print
--   wait
--   channel
--   rank
--   by
--   arrived
-- Replies
--   {'released', ms that the turn of another waiter lasts (0 if no other has the turn), created (ms since 1970), ...}
--                 behind that what claim.lua replies to the claim
--   {'replayed'}  this Idempotency-Key has released the lock before; nothing was claimed, nor with the replies below
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- decide
--- include released
--- include claim
local release = {token = req.release_token, request = req.release_request, print = req.release_print}
local reply = released(lock, release)
if reply[1] ~= 'released' then return reply end
local claimed = claim(lock, req)
-- While grants wait after a loss of data, no turn could be claimed.
local is_free = claimed[1] ~= 'granted' and not acquire_recovers()
return {'released', is_free and turn_give(lock) or 0, reply[3], unpack(claimed)}
