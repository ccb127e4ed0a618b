-- GETs users in random order. args: the file with their ids, one a line.
local requests = {}

function init(args)
  math.randomseed(os.time())
  for id in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", "/api/v1/users/" .. id)
  end
end

function request()
  return requests[math.random(#requests)]
end
