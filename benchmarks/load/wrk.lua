-- Sends one chat request over and over, and prints what it counted as one line of JSON.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
for name, value in string.gmatch(os.getenv("BENCH_HEADERS"), "([^\t\n]+)\t([^\n]*)") do
  wrk.headers[name] = value
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    'BENCH {"requests":%d,"errors":%d,"micros":%d,"p50Ms":%.3f,"p99Ms":%.3f}',
    summary.requests, e.connect + e.read + e.write + e.status + e.timeout, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
