import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { UpstreamTls } from '../exchange.ts'
import type { ConfigurationValues } from './configuration-schema.ts'
import type { Path, Problem } from './fault.ts'
import { formatPath } from './fault.ts'
import type { DirectoryOf, ServerTls } from './settings.ts'

export interface Certificates {
  readonly server: ServerTls | null
  readonly upstreams: ReadonlyMap<string, UpstreamTls>
  readonly files: readonly string[]
  readonly problems: readonly Problem[]
}

/** Reads every PEM file that the configuration names, and sees whether it can be used. */
export async function readCertificates(
  values: ConfigurationValues,
  directoryOf: DirectoryOf,
): Promise<Certificates> {
  const reader = new PemReader(directoryOf)
  const server = await reader.server(values.server.tls)
  const upstreams = new Map<string, UpstreamTls>()
  for (const [name, { tls }] of Object.entries(values.providers)) {
    if (tls !== undefined)
      upstreams.set(name, await reader.upstream(tls, ['providers', name, 'tls']))
  }
  return { server, upstreams, files: reader.files, problems: reader.problems }
}

type ServerTlsFiles = ConfigurationValues['server']['tls']
type UpstreamTlsFiles = NonNullable<ConfigurationValues['providers'][string]['tls']>

class PemReader {
  readonly files: string[] = []
  readonly problems: Problem[] = []
  readonly #directoryOf: DirectoryOf

  constructor(directoryOf: DirectoryOf) {
    this.#directoryOf = directoryOf
  }

  async server(tls: ServerTlsFiles): Promise<ServerTls | null> {
    if (tls === undefined) return null
    const path = ['server', 'tls']
    const cert = await this.#read(tls.certFile, [...path, 'certFile'])
    const key = await this.#read(tls.keyFile, [...path, 'keyFile'])
    const clientCa = await this.#read(tls.clientCaFile, [...path, 'clientCaFile'])
    if (cert === null || key === null) return null
    this.#tryOut({ cert, key, ca: clientCa }, path)
    return { cert, key, clientCa, clientAuth: tls.clientAuth, minVersion: tls.minVersion }
  }

  async upstream(tls: UpstreamTlsFiles, path: Path): Promise<UpstreamTls> {
    const ca = await this.#read(tls.caFile, [...path, 'caFile'])
    const cert = await this.#read(tls.certFile, [...path, 'certFile'])
    const key = await this.#read(tls.keyFile, [...path, 'keyFile'])
    this.#tryOut({ ca, cert, key }, path)
    return { ca, cert, key, minVersion: tls.minVersion ?? null }
  }

  async #read(file: string | undefined, path: Path): Promise<string | null> {
    if (file === undefined) return null
    const absolute = resolve(this.#directoryOf(path), file)
    this.files.push(absolute)
    try {
      const text = await readFile(absolute, 'utf8')
      if (text.includes('-----BEGIN ')) return text
      this.#report(path, 'must name a PEM file')
    } catch {
      this.#report(path, `cannot read the file \`${file}\``)
    }
    return null
  }

  #tryOut(texts: { ca: string | null; cert: string | null; key: string | null }, path: Path): void {
    try {
      createSecureContext({
        ...(texts.ca === null ? {} : { ca: texts.ca }),
        ...(texts.cert === null ? {} : { cert: texts.cert }),
        ...(texts.key === null ? {} : { key: texts.key }),
      })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#report(path, `cannot be used: ${why}`)
    }
  }

  #report(path: Path, message: string): void {
    this.problems.push({ path, at: 'value', message: `\`${formatPath(path)}\` ${message}` })
  }
}
