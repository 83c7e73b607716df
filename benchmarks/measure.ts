import { readdirSync, readFileSync } from 'node:fs'

// Linux tells processes' times in ticks of this length, whatever the kernel's own clock.
const microsPerTick = 10_000

/** CPU time that a process group has used so far, over all its processes and threads. */
export function cpuMicros(group: number): number {
  let ticks = 0
  for (const { fields } of members(group)) {
    // user and system time, its own and that of its children which have ended
    for (const index of [11, 12, 13, 14]) ticks += Number(fields[index])
  }
  return ticks * microsPerTick
}

/** Memory that a process group holds at this moment, in MB. */
export function rssMb(group: number): number {
  let kilobytes = 0
  for (const { pid } of members(group)) {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))
    kilobytes += Number(line?.[1] ?? 0)
  }
  return kilobytes / 1024
}

function members(group: number): { pid: string; fields: string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      const stat = read(`/proc/${pid}/stat`)
      // the name before the last bracket may contain anything
      return { pid, fields: stat.slice(stat.lastIndexOf(')') + 2).split(' ') }
    })
    .filter(({ fields }) => Number(fields[2]) === group)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it ended while we looked
  }
}
