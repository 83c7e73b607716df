import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, Unavailable } from './bench.ts'
import { type Running, start } from './processes.ts'

export interface NginxOptions {
  readonly port: number
  /** What stands in its `server` block. */
  readonly server: string
  /** What stands beside it, such as an `upstream` block. */
  readonly http?: string
  readonly workers?: number | 'auto'
  readonly cores?: string | undefined
}

/** Starts nginx in the foreground, with a configuration and folders of its own. */
export async function startNginx(bench: Bench, options: NginxOptions): Promise<Running> {
  if (!bench.tools.nginx) throw new Unavailable('nginx is not installed')
  const folder = join(bench.folder, `nginx-${options.port}`)
  await mkdir(join(folder, 'logs'), { recursive: true })
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, options))
  return start({
    command: 'nginx',
    args: ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'],
    cores: options.cores,
  })
}

function configuration(folder: string, options: NginxOptions): string {
  const { port, server, http = '', workers = 1 } = options
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
worker_processes ${workers};
worker_rlimit_nofile 8192;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  ${folders.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  ${http}
  server {
    listen 127.0.0.1:${port};
    ${server}
  }
}
`
}
