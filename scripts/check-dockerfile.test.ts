import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dockerfileFaults } from './check-dockerfile.ts'

const root = join(import.meta.dirname, '..')

test('the Dockerfile has no fault that can be seen without building it', () => {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
  expect(dockerfileFaults(text, root)).toEqual([])
})

test('a Dockerfile with faults is told all of them', () => {
  const text = `FROM node:20 AS build
COPY package.json \\
     nowhere.json ./
FROM node:24-slim
COPY --from=builder /app /app
USER root
EXPOSE 8080
CMD sluice start
`
  expect(dockerfileFaults(text, root)).toEqual([
    'FROM node:20 is not Node 24.',
    'COPY nowhere.json: there is no such file.',
    'COPY --from=builder: there is no such stage.',
    'It runs as root.',
    'There is no HEALTHCHECK.',
    'There is no VOLUME for data.',
    'Port 8081 is not exposed.',
    'CMD has no exec form: a shell would keep signals for itself.',
  ])
})
