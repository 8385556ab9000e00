-- Takes blocks of several counters in one step. The lines before these give prefix, maxIDs, maxSessions, ttl and grain (of a
-- session, in milliseconds) and alarm, and make the text unlike that of any other node and life (life.go).
-- KEYS: epoch, record, counters…, sessions… (of all counters, in order)
-- ARGV: epoch, seq, and for each counter the numbers wanted without a session (with a - before: the node has no mark of it),
-- and + and how many sessions
local find, sub = string.find, string.sub
local MAX = 9007199254740991
local ids, stopped, sessions = prefix .. '#ids', prefix .. '#stopped', prefix .. '#sessions'

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- How many sessions live, and which entries of the table that counts them (by when they end) are over.
local function living(ends, at)
  local n, over = 0, {}
  for i = 1, #ends, 2 do
    if tonumber(ends[i]) > at then n = n + tonumber(ends[i + 1]) else over[#over + 1] = ends[i] end
  end
  return n, over
end

-- First all that is read. An error here ends the script with nothing taken.
local held = redis.call('MGET', unpack(KEYS))
if held[1] ~= ARGV[1] then return 'changed' end
if #KEYS == 1 then
  local ends = redis.pcall('HGETALL', sessions)
  return redis.call('SCARD', ids) .. ' ' .. (ends.err and '' or living(ends, now()))
end

local seq, record = ARGV[2], held[2]
if record then
  local at = find(record, '\n', 1, true)
  local last = at and tonumber(sub(record, 1, at - 1)) or 0
  if last == tonumber(seq) then return sub(record, at + 1) end
  if last > tonumber(seq) then return 'stale' end
end

local stops = redis.call('EXISTS', stopped) ~= 0
local card -- ids in all, once it matters
local time, count, over -- and sessions
local out, new, given = {}, {}, {}
local sets = { KEYS[2], '' } -- what MSET gets
local counters = #ARGV
local at = counters -- the sessions before this one are done
for i = 3, counters do
  local key, value, code, last, fresh = KEYS[i], held[i], nil, nil, false
  local id = sub(key, #prefix + 1)
  local want, named = tonumber(ARGV[i]), 0
  if not want then
    local sign, n, k = string.match(ARGV[i], '^(-?)(%d+)%+(%d+)$')
    want, named = tonumber(n), tonumber(k)
    if sign == '-' then want = -want - 0.5 end -- so that 0 has a sign, too
  end
  local unmarked = want < 0
  if unmarked then want = math.floor(-want) end
  if stops and redis.call('HEXISTS', stopped, id) ~= 0 then
    code = 'S'
  elseif value then
    if #value <= 16 and (value == '0' or find(value, '^[1-9]%d*$')) then last = tonumber(value) end
    if not last or last > MAX then
      code = 'B' .. string.gsub(sub(value, 1, 40), '%c', '?')
    else
      fresh = unmarked and redis.call('SISMEMBER', ids, id) == 0 -- someone else's doing: it exists, so it is let in
    end
  else
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' then
      code = 'T' .. kind
    elseif redis.call('SISMEMBER', ids, id) ~= 0 then
      -- Numbers of it were given, and it is gone: deleted or evicted. Who has a mark calls all nodes to their marks.
      if not unmarked then
        redis.call('SET', KEYS[1], string.format('%s@%.0f', alarm, now()) .. (string.match(ARGV[1], '#%w*$') or ''))
        return 'changed'
      end
      code = 'G'
    else
      card = card or redis.call('SCARD', ids)
      if card + #new < maxIDs then last, fresh = 0, true else code = 'I' end
    end
  end
  out[i - 2] = code or value or '0' -- what came before the block: the node knows how many it wanted
  if not code then
    local first, keys = last + want, named > 0 and {} or nil -- sessions get what follows
    for j = at + 1, at + named do
      local has = held[j]
      if has then
        out[i - 2] = out[i - 2] .. ' ' .. (find(has, '^[1-9]%d*$') and has or 'B')
      else
        if not count then
          time = now()
          count, over = living(redis.call('HGETALL', sessions), time)
        end
        if count < maxSessions then
          want = want + 1
          if first + #keys < MAX then
            keys[#keys + 1] = KEYS[j]
            count = count + 1
          end
          out[i - 2] = out[i - 2] .. ' +'
        else
          out[i - 2] = out[i - 2] .. ' F'
        end
      end
    end
    if want > 0 and last < MAX then
      sets[#sets + 1], sets[#sets + 2] = key, math.min(last + want, MAX) -- exact: Redis prints it with 17 digits
      for j = 1, named > 0 and #keys or 0 do
        sets[#sets + 1], sets[#sets + 2] = keys[j], first + j
        given[#given + 1] = keys[j]
      end
      if fresh then new[#new + 1] = id end
    end
  end
  at = at + named
end

-- Then all that is written: counters, sessions and the record of this call in one command, which Redis does as a whole or not
-- at all. What makes Redis refuse a write (memory, a replica, a full disk, an ACL) is as before at any later one.
if #new > 0 then card = (card or redis.call('SCARD', ids)) + #new end
local body = (card or '') .. ' ' .. (count or '') .. '\n' .. table.concat(out, '\n')
sets[2] = seq .. '\n' .. body
local done = redis.pcall('MSET', unpack(sets))
if done.err then return done end
redis.pcall('PEXPIRE', KEYS[2], 600000)
if #new > 0 then redis.pcall('SADD', ids, unpack(new)) end
if #given > 0 then
  local ends = math.ceil((time + ttl) / grain) * grain
  for j = 1, #given do redis.pcall('PEXPIREAT', given[j], string.format('%.0f', ends)) end
  redis.pcall('HINCRBY', sessions, string.format('%.0f', ends), #given)
  if #over > 0 then redis.pcall('HDEL', sessions, unpack(over)) end
end
return body
