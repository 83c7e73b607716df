/**
 * The address of a file that runs as a thread, beside the module that names it: `.ts` when we run
 * from source and `.js` when we were built, which no compiler rewrites in a URL.
 */
export function threadEntry(path: string, importMetaUrl: string): URL {
  const extension = new URL(importMetaUrl).pathname.endsWith('.ts') ? '.ts' : '.js'
  return new URL(`${path}${extension}`, importMetaUrl)
}
