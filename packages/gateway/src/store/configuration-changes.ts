import { openDatabase } from './open-database.ts'

const migrations = [
  `
  CREATE TABLE configuration_changes (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    old_hash TEXT,
    new_hash TEXT NOT NULL,
    differences TEXT NOT NULL,
    file TEXT,
    git_commit TEXT,
    actor TEXT
  ) STRICT;
  `,
]

/** A configuration that came into force, and what it changed. */
export interface ConfigurationChange {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Null for the first one. */
  readonly oldHash: string | null
  readonly newHash: string
  /** Plain JSON: what was added, removed and changed. */
  readonly differences: unknown
  readonly file: string | null
  readonly gitCommit: string | null
  readonly actor: string | null
}

export interface ConfigurationChanges {
  insert: (change: ConfigurationChange) => void
  /** Newest first. */
  list: (limit: number) => ConfigurationChange[]
  close: () => void
}

export function openConfigurationChanges(storeFile: string): ConfigurationChanges {
  const database = openDatabase(storeFile, { migrations, busyTimeout: 2000 })
  const insert = database.prepare(
    'INSERT INTO configuration_changes (at, old_hash, new_hash, differences, file, git_commit, actor) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const list = database.prepare('SELECT * FROM configuration_changes ORDER BY id DESC LIMIT ?')

  return {
    insert({ at, oldHash, newHash, differences, file, gitCommit, actor }) {
      insert.run(at, oldHash, newHash, JSON.stringify(differences), file, gitCommit, actor)
    },
    list: (limit) => list.all(limit).map(toChange),
    close: () => database.close(),
  }
}

function toChange(row: Record<string, unknown>): ConfigurationChange {
  return {
    at: Number(row['at']),
    oldHash: textOrNull(row['old_hash']),
    newHash: String(row['new_hash']),
    differences: JSON.parse(String(row['differences'])) as unknown,
    file: textOrNull(row['file']),
    gitCommit: textOrNull(row['git_commit']),
    actor: textOrNull(row['actor']),
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
