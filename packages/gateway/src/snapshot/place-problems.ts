import type { Fault, Path, Problem } from './fault.ts'
import { formatPath } from './fault.ts'
import type { Position } from './positions.ts'
import { sourceOf } from './read-files.ts'
import type { SourceFile } from './source-file.ts'

interface Asked {
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly source: SourceFile
}

/** Finds where the problems stand. Each file is searched once, however many problems it has. */
export function placeProblems(
  problems: readonly Problem[],
  sources: readonly SourceFile[],
): readonly Fault[] {
  const findSource = (path: Path, file: string | undefined) =>
    sources.find(({ name }) => name === file) ?? sourceOf(sources, path)

  const asked = new Map<Problem | NonNullable<Problem['other']>, Asked>()
  for (const problem of problems) {
    const source = findSource(problem.path, problem.file)
    if (source !== undefined) asked.set(problem, { path: problem.path, at: problem.at, source })
    if (problem.other === undefined) continue
    const other = findSource(problem.other.path, problem.other.file)
    if (other !== undefined)
      asked.set(problem.other, { ...problem.other, at: problem.at, source: other })
  }

  const places = locateAll([...asked.values()])
  const placeOf = (thing: Problem | NonNullable<Problem['other']>) => {
    const found = asked.get(thing)
    const { line, column } = (found && places.get(found)) ?? { line: 1, column: 1 }
    return { file: found?.source.name ?? '', line, column }
  }

  return problems.map((problem) => {
    const other = problem.other === undefined ? null : placeOf(problem.other)
    const where = other === null ? '' : `${other.file}:${other.line}:${other.column}`
    return {
      ...placeOf(problem),
      path: formatPath(problem.path),
      message: problem.message.replace('{other}', () => where),
    }
  })
}

function locateAll(asked: readonly Asked[]): ReadonlyMap<Asked, Position> {
  const places = new Map<Asked, Position>()
  for (const source of new Set(asked.map((it) => it.source))) {
    const inFile = asked.filter((it) => it.source === source)
    const positions = source.locate(inFile)
    for (const [index, position] of positions.entries()) {
      const one = inFile[index]
      if (one !== undefined) places.set(one, position)
    }
  }
  return places
}
