-- As lib/events.lua notes it. `waited` is in ms, nil if the request did not wait.
noted = noted or {}
noted[#noted + 1] = cmsgpack.pack(13, 'granted', lock, ms, id, owner, fence, expires, waited, last or nil,
  #metadata <= 256 and metadata or nil, nil, nil, by)
