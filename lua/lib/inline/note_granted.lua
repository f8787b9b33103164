-- As lib/events.lua notes it, behind what was noted before. `waited` is in ms, nil if the request did not wait.
note = (note or '') .. cmsgpack.pack(13, 'granted', lock, ms, id, owner, fence, expires, waited, last or nil,
  #metadata <= 256 and metadata or nil, nil, nil, by)
