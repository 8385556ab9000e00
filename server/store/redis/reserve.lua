-- Takes blocks of several counters in one step. The lines before these give prefix, maxIDs and alarm, and make the text
-- unlike that of any other node and life (life.go).
-- KEYS: epoch, record, counters…   ARGV: epoch, seq, numbers wanted of each (negative: the node has no mark of it)
local find, sub = string.find, string.sub
local MAX, CHUNK = 9007199254740991, 1000
local ids, stopped = prefix .. '#ids', prefix .. '#stopped'

-- First all that is read. An error here ends the script with nothing taken.
local held = redis.call('MGET', unpack(KEYS, 1, math.min(#KEYS, CHUNK)))
for from = CHUNK + 1, #KEYS, CHUNK do
  local part = redis.call('MGET', unpack(KEYS, from, math.min(#KEYS, from + CHUNK - 1)))
  for i = 1, #part do held[from + i - 1] = part[i] end
end
if held[1] ~= ARGV[1] then return 'changed' end
if #KEYS == 1 then return tostring(redis.call('SCARD', ids)) end

local seq, record = ARGV[2], held[2]
if record then
  local at = find(record, '\n', 1, true)
  local last = at and tonumber(sub(record, 1, at - 1)) or 0
  if last == tonumber(seq) then return sub(record, at + 1) end
  if last > tonumber(seq) then return 'stale' end
end

local stops = redis.call('EXISTS', stopped) ~= 0
local card -- ids in all, once it matters
local out, new = {}, {}
local sets, of = { KEYS[2], '' }, { 0 } -- what MSET gets, and whose claim each pair is
for i = 3, #KEYS do
  local key, value, want, code = KEYS[i], held[i], tonumber(ARGV[i]), nil
  local last
  if stops and redis.call('HEXISTS', stopped, sub(key, #prefix + 1)) ~= 0 then
    code = 'S'
  elseif value then
    if #value <= 16 and (value == '0' or find(value, '^[1-9]%d*$')) then last = tonumber(value) end
    if not last or last > MAX then
      code = 'B' .. string.gsub(sub(value, 1, 40), '%c', '?')
    elseif want < 0 and redis.call('SISMEMBER', ids, sub(key, #prefix + 1)) == 0 then
      new[#new + 1] = sub(key, #prefix + 1) -- someone else's doing: it exists, so it is let in
    end
  else
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' then
      code = 'T' .. kind
    elseif redis.call('SISMEMBER', ids, sub(key, #prefix + 1)) ~= 0 then
      -- Numbers of it were given, and it is gone: deleted or evicted. Who has a mark calls all nodes to their marks.
      if want > 0 then
        local now = redis.call('TIME')
        redis.call('SET', KEYS[1], string.format('%s@%.0f', alarm, now[1] * 1000 + now[2] / 1000))
        return 'changed'
      end
      code = 'G'
    else
      card = card or redis.call('SCARD', ids)
      if card + #new < maxIDs then
        new[#new + 1] = sub(key, #prefix + 1)
        last = 0
      else
        code = 'I'
      end
    end
  end
  out[i - 2] = code or value or '0' -- what came before the block: the node knows how many it wanted
  if not code and last < MAX then
    sets[#sets + 1], sets[#sets + 2] = key, math.min(last + math.abs(want), MAX) -- exact: Redis prints it with 17 digits
    of[#of + 1] = i - 2
  end
end

-- Then all that is written: the counters and the record of this call in one command, which Redis does as a whole or not at
-- all. What makes Redis refuse a write (memory, a replica, a full disk, an ACL) is as before at any later one.
if #new > 0 then card = (card or redis.call('SCARD', ids)) + #new end
local body = (card or '') .. '\n' .. table.concat(out, '\n')
sets[2] = seq .. '\n' .. body
local refused = false
for from = 1, #sets, 2 * CHUNK do
  local to = math.min(#sets, from + 2 * CHUNK - 1)
  local done = redis.pcall('MSET', unpack(sets, from, to))
  if done.err then
    if from == 1 then return done end
    for pair = (from + 1) / 2, to / 2 do out[of[pair]] = 'U' end
    refused = true
  end
end
if refused then
  body = (card or '') .. '\n' .. table.concat(out, '\n')
  redis.pcall('SET', KEYS[2], seq .. '\n' .. body)
end
redis.pcall('PEXPIRE', KEYS[2], 600000)
for from = 1, #new, CHUNK do redis.pcall('SADD', ids, unpack(new, from, math.min(#new, from + CHUNK - 1))) end
return body
