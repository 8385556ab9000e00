-- Compares counters with what a node has received, and stops or moves those that are behind. What is found is kept under
-- the record, so that a lost answer can be asked for again.
-- KEYS: epoch, record, stopped, ids, counters…   ARGV: epoch, seq, jump, alarm (or ''), length of the prefix, marks…
local MAX = 9007199254740991
local jump, skip = tonumber(ARGV[3]), tonumber(ARGV[5]) + 1

local record = redis.call('GET', KEYS[2])
if record then
  local at = string.find(record, '\n', 1, true)
  if at and string.sub(record, 1, at - 1) == ARGV[2] then return string.sub(record, at + 1) end
end

local out, sets, stops, ids = {}, {}, {}, {}
for i = 5, #KEYS do
  local key, mark, last = KEYS[i], tonumber(ARGV[i + 1]), nil
  local id = string.sub(key, skip)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then
    last = 0
  elseif kind == 'string' then
    local value = redis.call('GET', key)
    if value == '0' or string.find(value, '^[1-9]%d*$') then last = tonumber(value) end
  end
  if last and last < mark then
    local stop = redis.call('HGET', KEYS[3], id)
    local to = 0
    if jump == 0 or stop then
      if not stop or (tonumber(stop) or 0) < mark then
        stops[#stops + 1], stops[#stops + 2] = id, string.format('%.0f', mark)
      end
    else
      to = math.min(mark + jump, MAX)
      sets[#sets + 1], sets[#sets + 2] = key, string.format('%.0f', to)
      ids[#ids + 1] = id
    end
    out[#out + 1] = string.format('%d %.0f %.0f', i - 4, last, to)
  end
end

-- The record comes when all else that may be refused is done: with it, asking again does nothing.
local body = table.concat(out, '\n')
if ARGV[4] ~= '' and redis.call('GET', KEYS[1]) == ARGV[1] then
  local now = redis.call('TIME')
  redis.call('SET', KEYS[1], string.format('%s@%.0f', ARGV[4], now[1] * 1000 + now[2] / 1000) .. (string.match(ARGV[1], '#%w*$') or ''))
end
if #stops > 0 then redis.call('HSET', KEYS[3], unpack(stops)) end
if #ids > 0 then redis.call('SADD', KEYS[4], unpack(ids)) end
sets[#sets + 1], sets[#sets + 2] = KEYS[2], ARGV[2] .. '\n' .. body
redis.call('MSET', unpack(sets))
redis.pcall('PEXPIRE', KEYS[2], 600000)
return body
