-- As lib/events.lua notes it. `held` has the id, the owner and the fence of the grant.
note = cmsgpack.pack(7, 'released', lock, ms, held[1], held[2], held[3], math.max(0, ms - created))
