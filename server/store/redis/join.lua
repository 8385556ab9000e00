-- Reads the epoch, and makes one if there is none, or it was made under another replication id: then a replica was promoted,
-- which may lack numbers, and all nodes shall compare their marks.
-- KEYS: epoch   ARGV: a new epoch, '@' if it tells of a loss (then it says when it was made), the replication id (or '')
-- Returns the epoch, whether it is new, and the time in milliseconds.
local now = redis.call('TIME')
local ms = string.format('%.0f', now[1] * 1000 + now[2] / 1000)
local epoch = redis.call('GET', KEYS[1])
local of = ''
if ARGV[3] ~= '' then of = '#' .. ARGV[3] end
if epoch and (of == '' or string.match(epoch, '#%w*$') == of) then return { epoch, 'there', ms } end
local made = ARGV[1]
if epoch or ARGV[2] == '@' then made = made .. '@' .. ms end
made = made .. of
redis.call('SET', KEYS[1], made)
return { made, epoch and 'moved' or 'new', ms }
