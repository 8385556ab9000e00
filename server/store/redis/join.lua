-- Reads the epoch, and makes one if there is none.
-- KEYS: epoch   ARGV: a new epoch, '@' if it tells of a loss (then it says when it was made)
-- Returns the epoch, whether it is new, and the time in milliseconds.
local now = redis.call('TIME')
local ms = string.format('%.0f', now[1] * 1000 + now[2] / 1000)
local epoch = redis.call('GET', KEYS[1])
if epoch then return { epoch, 'there', ms } end
epoch = ARGV[1]
if ARGV[2] == '@' then epoch = epoch .. '@' .. ms end
redis.call('SET', KEYS[1], epoch)
return { epoch, 'new', ms }
