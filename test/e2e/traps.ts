/** Everything in a repository that git can be told to run, and a picture of a repository to compare with. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from './kit.ts'

export const HOOKS = [
  'pre-commit',
  'post-commit',
  'post-checkout',
  'post-merge',
  'post-rewrite',
  'reference-transaction',
  'pre-push',
  'fsmonitor-watchman',
  'prepare-commit-msg',
  'commit-msg',
  'post-index-change',
  'pre-auto-gc',
]

/** Everything that git can be told to run, told to leave a mark. */
export function setTraps(place: Place): string {
  const mark = join(place.root, 'trapped')
  const trap = (name: string) => `sh -c 'echo ${name} >> ${mark}'`
  const config = join(place.repository, '.git', 'config')
  writeFileSync(
    config,
    `${readFileSync(config, 'utf8')}
[filter "evil"]
  clean = ${trap('clean')}; cat
  smudge = ${trap('smudge')}; cat
  process = ${trap('process')}
  required = true
[diff "evil"]
  textconv = ${trap('textconv')}
  command = ${trap('diff')}
[merge "evil"]
  driver = ${trap('merge')}
[alias]
  status = "!${trap('alias')}"
  commit-tree = "!${trap('alias')}"
[core]
  fsmonitor = ${mark}.sh
  pager = ${trap('pager')}
  editor = ${trap('editor')}
  sshCommand = ${trap('ssh')}
  hooksPath = .git/hooks
  attributesFile = ${join(place.root, 'attributes')}
[gpg]
  program = ${mark}.sh
[commit]
  gpgSign = true
[credential]
  helper = "!${trap('credential')}"
[uploadpack]
  packObjectsHook = ${mark}.sh
[include]
  path = ${join(place.root, 'included')}
`,
  )
  writeFileSync(join(place.root, 'attributes'), '* filter=evil diff=evil merge=evil\n')
  writeFileSync(join(place.root, 'included'), `[core]\n  fsmonitor = ${mark}.sh\n`)
  writeFileSync(`${mark}.sh`, `#!/bin/sh\necho program >> ${mark}\n`)
  chmodSync(`${mark}.sh`, 0o755)
  mkdirSync(join(place.repository, '.git', 'hooks'), { recursive: true })
  for (const hook of HOOKS) {
    writeFileSync(join(place.repository, '.git', 'hooks', hook), `#!/bin/sh\necho ${hook} >> ${mark}\n`)
    chmodSync(join(place.repository, '.git', 'hooks', hook), 0o755)
  }
  return mark
}

/** Modes, contents, links and times of everything but the object store and vp's own refs. */
export function manifest(place: Place): Record<string, string> {
  const found: Record<string, string> = {}
  const walk = (directory: string, prefix: string) => {
    for (const name of readdirSync(directory).toSorted()) {
      const path = `${prefix}${name}`
      if (/^\.git\/(objects|(logs\/)?refs\/(vp|heads\/vp))$/.test(path)) continue
      const at = lstatSync(join(directory, name))
      const what = at.isSymbolicLink()
        ? readlinkSync(join(directory, name))
        : at.isFile()
          ? createHash('sha256')
              .update(readFileSync(join(directory, name)))
              .digest('hex')
          : 'dir'
      found[path] = `${at.mode.toString(8)} ${at.isDirectory() || path === '.git/index' ? '' : at.mtimeMs} ${what}`
      if (at.isDirectory()) walk(join(directory, name), `${path}/`)
    }
  }
  walk(place.repository, '')
  return found
}

/** Only what differs, so that a failure can be read. */
export function isSame(now: Record<string, string>, before: Record<string, string>, when: string): void {
  const names = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((name) => now[name] !== before[name])
  assert.deepEqual(
    names.map((name) => `${name}: ${before[name]} → ${now[name]}`),
    [],
    when,
  )
}
