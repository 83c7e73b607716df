import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const bin = fileURLToPath(new URL('../bin/sluice-simulator.js', import.meta.url))

test('the program prints its address, answers there, and stops on a signal', async () => {
  const program = spawn(process.execPath, [bin, '--port', '0'], { stdio: 'pipe' })
  const [line] = (await once(program.stdout.setEncoding('utf8'), 'data')) as [string]
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]

  expect((await fetch(`${url}/v1/models`)).status).toBe(200)
  program.kill('SIGTERM')
  expect(await once(program, 'exit')).toEqual([0, null])
})

test('it helps with an example, and refuses what it does not understand', () => {
  const help = spawnSync(process.execPath, [bin, '--help'], { encoding: 'utf8' })
  expect(help.stdout).toContain('curl http://127.0.0.1:9000/v1/chat/completions')

  const wrong = spawnSync(process.execPath, [bin, '--port', 'x'], { encoding: 'utf8' })
  expect(wrong.status).toBe(1)
  expect(wrong.stderr).toBe(
    'sluice-simulator: --port must be a whole number from 0 to 65535, not "x"\n',
  )
})
