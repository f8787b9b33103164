-- Packed by hand: MessagePack has the lengths of a list and of texts in these bytes.
if #fence == 16 and #now == 13 then return '\147\167granted\176' .. fence .. '\173' .. now, note end
do return {'granted', fence, now}, note end
