-- Notes what a replica holds, then grants what it needs on every account, or on none. See the package comment.
-- KEYS: the store, then the accounts.
-- ARGV: replica, incarnation, sequence, recovery time in ms; then per account
--       start, end, expires, limit, have, need, exact (1 or 0).
-- Amounts are 64-bit and Lua's numbers have 53 bits, so sums are kept in dollars and nano-dollars; what is left of a
-- limit is exact below nine million dollars, and above that it is no close call.
local grace = 60000 -- in ms: what is kept of the past, should the clock be set back a little

local wants = 3000 -- in ms: how long others are asked for what they do not use after a refusal

local function split(s)
  if #s <= 9 then return 0, tonumber(s) end
  return tonumber(s:sub(1, -10)), tonumber(s:sub(-9))
end

local function join(d, n)
  return string.format('%.0f%09.0f', d + math.floor(n / 1e9), n % 1e9)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = redis.call('INFO', 'server'):match('run_id:(%w+)')
local memory = redis.call('HMGET', KEYS[1], 'run', 'until')
if memory[1] ~= run then
  memory[2] = string.format('%.0f', now + ARGV[4])
  redis.call('HSET', KEYS[1], 'run', run, 'until', memory[2])
end
local recovering = now < tonumber(memory[2])

local incarnation, sequence = tonumber(ARGV[2]), tonumber(ARGV[3])
local stamp = ':' .. ARGV[2] .. ':' .. ARGV[3]
local claims = {}
for i = 2, #KEYS do
  local a = 5 + (i - 2) * 7
  local c = {
    key = KEYS[i], field = ARGV[a] .. '/' .. ARGV[1], expires = ARGV[a + 2], limit = ARGV[a + 3],
    have = ARGV[a + 4], need = tonumber(ARGV[a + 5]), exact = ARGV[a + 6] == '1',
  }
  local before = redis.call('HGET', c.key, c.field)
  if before then
    local inc, seq = before:match(':(%d+):(%d+)$')
    inc, seq = tonumber(inc), tonumber(seq)
    if inc > incarnation or (inc == incarnation and seq >= sequence) then
      return {'stale', string.format('%.0f', now), run, string.format('%.0f', inc)}
    end
  end
  if c.need > 0 then
    if now < tonumber(ARGV[a]) or now >= tonumber(ARGV[a + 1]) then
      return {'window', string.format('%.0f', now), run, '0'}
    end
  end
  claims[#claims + 1] = c
end

local function note(c, amount)
  redis.call('HSET', c.key, c.field, amount .. ':' .. c.expires .. stamp)
end

for _, c in ipairs(claims) do
  if tonumber(c.expires) > now then
    note(c, c.have)
    local last = tonumber(c.expires) + grace
    if now + redis.call('PTTL', c.key) < last then
      redis.call('PEXPIREAT', c.key, string.format('%.0f', last))
    end
  end
end

local status, index = 'done', 0
for i, c in ipairs(claims) do
  c.d, c.n, c.topd, c.topn, c.mined, c.minen = 0, 0, 0, 0, 0, 0
  local fields = redis.call('HGETALL', c.key)
  for j = 1, #fields, 2 do
    local amount, expires = fields[j + 1]:match('^(%d+):(%d+)')
    local d, n = split(amount)
    if fields[j] == '?' then
      c.wanted = tonumber(expires) > now
    elseif tonumber(expires) <= now then
      if tonumber(expires) + grace <= now then redis.call('HDEL', c.key, fields[j]) end
    elseif fields[j]:sub(1, 1) == '+' then
      c.topd, c.topn = c.topd + d, c.topn + n
    else
      c.d, c.n = c.d + d, c.n + n
      if fields[j]:match('/(.*)$') == ARGV[1] then c.mined, c.minen = c.mined + d, c.minen + n end
    end
  end
  local d, n = split(c.limit)
  c.left = (d + c.topd - c.d) * 1e9 + (n + c.topn - c.n)
  c.whole = (d + c.topd) * 1e9 + n + c.topn
  if c.need > 0 and c.need > c.left and index == 0 then status, index = 'refused', i end
end
if recovering then status, index = 'recovering', 0 end
if status == 'refused' then
  redis.call('HSET', claims[index].key, '?', string.format('0:%.0f', now + wants))
end

local reply = {status, string.format('%.0f', now), run, string.format('%.0f', index)}
for _, c in ipairs(claims) do
  local grant = 0
  if status == 'done' and c.need > 0 then
    grant = c.need
    if not c.exact and not c.wanted and c.left * 20 > c.whole then
      grant = math.max(grant, math.min(math.floor(c.left / 100), 1e15))
    end
  end
  local d, n = split(c.have)
  local own = join(d, n + grant)
  if grant > 0 then note(c, own) end
  reply[#reply + 1] = own
  reply[#reply + 1] = join(c.mined, c.minen + grant)
  reply[#reply + 1] = join(c.d, c.n + grant)
  reply[#reply + 1] = join(c.topd, c.topn)
  reply[#reply + 1] = c.wanted and '1' or '0'
end
return reply
