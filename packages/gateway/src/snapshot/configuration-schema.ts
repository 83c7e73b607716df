import { z } from 'zod'
import {
  address,
  baseUrl,
  credential,
  digest,
  moment,
  name,
  network,
  path,
  period,
  size,
  timer,
} from './value-types.ts'

/** What the configuration may say: types, defaults, the JSON Schema and the reference come from here. */

const tlsVersion = z.enum(['TLSv1.2', 'TLSv1.3'])

const limits = z
  .strictObject({
    requestBody: size.prefault('20MiB').describe('The largest request body.'),
    responseBuffer: size
      .prefault('20MiB')
      .describe('The most of one answer that is held in memory.'),
    upload: size.prefault('100MiB').describe('The largest upload of a file.'),
    headers: size.prefault('32KiB').describe('The most that the headers of a request may take.'),
    connections: z.int().min(1).default(20_000).describe('Open connections, for the process.'),
    exchanges: z.int().min(1).default(10_000).describe('Exchanges in flight, for the process.'),
    bytesInFlight: size
      .prefault('1GiB')
      .describe('Bytes that exchanges hold in memory, for the process.'),
  })
  .describe('What is larger or more is refused.')

const serverTimeouts = z
  .strictObject({
    headers: timer.prefault('10s').describe('Until the headers of a request are complete.'),
    body: timer.prefault('60s').describe('Until its body is complete.'),
    keepAlive: timer.prefault('60s').describe('How long an idle connection is kept.'),
    hold: timer.prefault('30s').describe('The longest that policies may hold an answer back.'),
  })
  .describe('How long a client may take.')

const serverTls = z
  .strictObject({
    certFile: path.describe("The server's certificate and its chain, PEM."),
    keyFile: path.describe('The private key of the certificate, PEM.'),
    clientCaFile: path.optional().describe('Who may have signed certificates of clients, PEM.'),
    clientAuth: z
      .enum(['none', 'request', 'require'])
      .default('none')
      .describe('Whether clients show a certificate.'),
    minVersion: tlsVersion.default('TLSv1.2').describe('The oldest version that is accepted.'),
  })
  .describe('TLS for the data plane.')

const server = z
  .strictObject({
    listen: address.prefault('127.0.0.1:8080').describe('Where clients connect: the data plane.'),
    admin: address
      .prefault('127.0.0.1:8081')
      .describe('Where the admin API, /metrics, /healthz and /readyz are.'),
    workers: z
      .union(
        [z.int().min(1).max(1024), z.literal('auto')],
        'must be a number from 1 to 1024, or auto',
      )
      .default('auto')
      .describe('Threads that serve clients; auto is one for each processor.'),
    trustedProxies: z
      .array(network)
      .default([])
      .describe('Only these are believed about X-Forwarded-For.'),
    limits: limits.prefault({}),
    timeouts: serverTimeouts.prefault({}),
    tls: serverTls.optional(),
    shutdownGrace: timer
      .prefault('30s')
      .describe('How long exchanges in flight may go on after a stop was asked for.'),
  })
  .describe(
    'Sockets, threads, limits and time-outs. Limits and time-outs change at once, all else at the next start.',
  )

const store = z
  .strictObject({
    url: z
      .string()
      .regex(/^sqlite:(?!:memory:$)./, 'must name a file, such as sqlite:./data/sluice.db')
      .default('sqlite:./data/sluice.db')
      .describe('The database. A change takes effect at the next start.'),
  })
  .describe('Where decision records are kept.')

const provider = z
  .strictObject({
    type: z
      .enum(['openai', 'openai-compatible', 'anthropic', 'simulator'])
      .describe('What the upstream speaks.'),
    apiKey: credential.optional().describe('Our credential at the upstream.'),
    baseUrl: baseUrl
      .optional()
      .describe(
        "What the provider's own SDK takes. Default: https://api.openai.com/v1 for openai, " +
          'https://api.anthropic.com for anthropic.',
      ),
    timeouts: z
      .strictObject({
        connect: timer.prefault('5s').describe('Until the connection is open.'),
        firstToken: timer.prefault('60s').describe('Until the first byte of the answer.'),
        idle: timer.prefault('120s').describe('Between two pieces of an answer.'),
        total: z
          .union([timer, z.literal('none')], 'must be a duration such as 10m, or none')
          .default('none')
          .describe('Until the end of the answer.'),
      })
      .prefault({})
      .describe('How long the upstream may take.'),
    tls: z
      .strictObject({
        caFile: path.optional().describe('Who signed the certificate of the upstream, PEM.'),
        certFile: path.optional().describe('The certificate that we show, PEM.'),
        keyFile: path.optional().describe('The private key of certFile, PEM.'),
        minVersion: tlsVersion.optional().describe('The oldest version that is accepted.'),
      })
      .optional()
      .describe('TLS towards the upstream.'),
    maxConnections: z
      .int()
      .min(1)
      .max(65_535)
      .default(256)
      .describe('Connections to this upstream, for each worker.'),
  })
  .describe('One upstream; its name may not hold a `/`.')

const model = z
  .strictObject({
    targets: z
      .array(
        z.strictObject({
          provider: name.describe('A name of `providers`.'),
          model: name.describe('What the upstream calls the model.'),
        }),
      )
      .min(1)
      .describe('What serves the model, first to last.'),
  })
  .describe('One name that clients ask for; `provider/model` also works where it is granted.')

const role = z
  .strictObject({
    allow: z
      .array(
        z.strictObject({
          models: z
            .array(name)
            .describe('Names of `models`, or `provider/model`; globs. An empty list allows none.'),
          endpoints: z
            .array(name)
            .optional()
            .describe('Endpoints; globs. Without it any; an empty list allows none.'),
        }),
      )
      .describe('Nothing is allowed that no rule allows.'),
  })
  .describe('What a role may use.')

const app = z
  .strictObject({
    team: name.optional().describe("The team that pays; a name of the tenant's `teams`."),
    roles: z.array(name).default([]).describe('Names of `roles`.'),
    keys: z
      .array(
        z.strictObject({
          sha256: digest.describe('The digest of the whole key: see `sluice keys create`.'),
          expires: moment
            .optional()
            .describe('From then on the key is refused; a day begins at midnight UTC.'),
        }),
      )
      .default([])
      .describe('The keys that the app may present.'),
  })
  .describe('What presents keys.')

const tenant = z
  .strictObject({
    teams: z
      .record(name, z.strictObject({}).describe('A team, by its name.'))
      .default({})
      .describe('Its teams.'),
    apps: z.record(name, app).default({}).describe('Its apps.'),
  })
  .describe('A customer, a subsidiary: whoever is kept apart from the others.')

const decisions = z
  .strictObject({
    payloads: z
      .enum(['none'])
      .default('none')
      .describe('What is kept of prompts and answers: nothing.'),
    retention: period.prefault('30d').describe('How long decision records are kept.'),
    log: z
      .union(
        [
          z.enum(['off', 'refusals', 'all']),
          z.strictObject({
            what: z.enum(['off', 'refusals', 'all']).describe('Which records.'),
            file: path.describe('The file that the lines are added to.'),
          }),
        ],
        'must be off, refusals or all, or a map such as { what: all, file: decisions.log }',
      )
      .default('off')
      .describe('Records as lines of JSON, on standard output or in a file.'),
  })
  .describe('Decision records.')

const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])

const telemetry = z
  .strictObject({
    logs: z
      .strictObject({
        level: logLevel.default('info').describe('The least important line that is written.'),
      })
      .prefault({})
      .describe("The gateway's own log, on standard error."),
  })
  .describe('What the gateway says about itself.')

export const configurationSchema = z
  .strictObject({
    version: z.literal(1, 'must be 1').describe('The version of this format.'),
    include: z
      .array(path)
      .default([])
      .describe('Globs of more files; their maps are merged with this one.'),
    server: server.prefault({}),
    store: store.prefault({}),
    providers: z.record(name, provider).default({}).describe('Upstreams, by name.'),
    models: z.record(name, model).default({}).describe('What clients may ask for, by name.'),
    roles: z.record(name, role).default({}).describe('Grants, by name.'),
    tenants: z.record(name, tenant).default({}).describe('Who calls, by name.'),
    decisions: decisions.prefault({}),
    telemetry: telemetry.prefault({}),
  })
  .describe('The configuration of Sluice.')

export type ConfigurationValues = z.output<typeof configurationSchema>
