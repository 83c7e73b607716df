import { startNginx } from '../nginx.ts'
import { serverCandidate } from './candidate.ts'

export const nginx = serverCandidate('nginx', async (bench, options) => {
  const { port, upstream, workers, cores } = options
  const running = await startNginx(bench, {
    port,
    workers,
    cores,
    http: `upstream model { server ${new URL(upstream.origin).host}; keepalive 1024; keepalive_requests 1000000000; }`,
    server: `location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }`,
  })
  return { running }
})
