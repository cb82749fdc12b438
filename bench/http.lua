-- What wrk sends: EVENTS events of 256 bytes a request, to the path and with the type of the environment.
local events = tonumber(os.getenv("EVENTS") or "1")
local line = '{"time":"2026-01-02T03:04:05.678Z","level":"info","user":{"id":12345,"name":"someone"},"message":"'
line = line .. string.rep("x", 256 - #line - 2) .. '"}'
wrk.method = "POST"
wrk.path = os.getenv("TARGET") or "/v1/ingest?ack=memory"
wrk.headers["content-type"] = os.getenv("TYPE") or "text/plain"
wrk.body = events == 1 and line or string.rep(line .. "\n", events)

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %d %d %d %d\n",
    summary.requests,
    summary.duration,
    latency:percentile(50),
    latency:percentile(99),
    latency.max,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
