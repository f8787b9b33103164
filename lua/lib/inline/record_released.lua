-- As lib/record.lua writes it, but without a table. A fingerprint has no character that JSON escapes.
if release_record then call('SET', release_record, '["released","' .. release_print .. '"]', 'PX', WINDOW) end
