-- Moves a counter for an operator. Returns what it was and '' or why nothing was done.
-- KEYS: counter, stopped, ids   ARGV: id, the last number, 'back' if it may go back
local key, last, back = KEYS[1], ARGV[2], ARGV[3] == 'back'
local kind = redis.call('TYPE', key).ok
local was = '0'
if kind == 'string' then
  was = redis.call('GET', key)
  if (was ~= '0' and not string.find(was, '^[1-9]%d*$')) or #was > 16 or tonumber(was) > 9007199254740991 then
    if not back then return { '0', 'B' .. string.gsub(string.sub(was, 1, 40), '%c', '?') } end
    was = '0'
  end
elseif kind ~= 'none' and not back then
  return { '0', 'T' .. kind }
end
if not back and tonumber(last) < tonumber(was) then return { was, 'back' } end
local stop = redis.call('HGET', KEYS[2], ARGV[1])
if stop and not back and tonumber(last) < (tonumber(stop) or 0) then return { was, 'S' .. stop } end
redis.call('SET', key, last)
redis.call('SADD', KEYS[3], ARGV[1])
if stop then redis.call('HDEL', KEYS[2], ARGV[1]) end
return { was, '' }
