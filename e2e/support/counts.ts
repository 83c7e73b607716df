/** What `/metrics` says, to be summed over labels. */
export type Counts = readonly { readonly name: string; readonly value: number }[]

export function countsIn(text: string): Counts {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const space = line.lastIndexOf(' ')
      return { name: line.slice(0, space), value: Number(line.slice(space + 1)) }
    })
}

/** The sum of a metric's values that have all these labels, such as `code="access_denied"`. */
export function sum(counts: Counts, metric: string, labels: readonly string[] = []): number {
  return counts
    .filter(({ name }) => name === metric || name.startsWith(`${metric}{`))
    .filter(({ name }) => labels.every((label) => name.includes(label)))
    .reduce((total, { value }) => total + value, 0)
}
