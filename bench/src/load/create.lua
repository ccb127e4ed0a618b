-- POSTs new users. args: what their email addresses begin with, so that no other run has them.
local tag
local made = 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  tag = args[1]
end

function request()
  made = made + 1
  return wrk.format(nil, nil, nil, '{"name":"Ada Lovelace","email":"' .. tag .. made .. '@example.com"}')
end
