/**
 * Candidates from Debian source packages: what a patch of the series does to one file. Before it stand the patches of
 * the series up to there, as in the package. The patch is drawn anew by git, so that all cases look alike.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { caseOf, langOf, type Candidate } from './candidate.ts'
import type { DebianSource } from './list.ts'
import type { Unpacked } from './npm.ts'
import { run } from './run.ts'

/** What DEP-3 and git say of a patch that upstream made. */
const UPSTREAM = /^(?:Origin:.*(?:upstream|backport|https?:)|Applied-Upstream:|From [0-9a-f]{40} )|cherry picked from commit/im

export function fromDebian(source: DebianSource, work: string): Unpacked {
  const root = unpack(source, join(work, 'debian'))
  const patches = join(root, 'debian', 'patches')
  const candidates = readFileSync(join(patches, 'series'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => {
      const [change = '', strip = '-p1'] = line.split(/\s+/)
      const text = readFileSync(join(patches, change), 'latin1')
      const paths = changedPaths(text, Number(strip.slice(2)))
      const before = new Map(
        paths.filter((path) => langOf(path) !== null && existsSync(join(root, path))).map((path) => [path, readFileSync(join(root, path))]),
      )
      run('patch', [strip, '-F0', '-s', '-t', '-N', '--no-backup-if-mismatch', '-i', join('debian', 'patches', change)], root)
      if (source.upstreamOnly && !UPSTREAM.test(text)) return []
      return [...before].flatMap(([path, bytes]): Candidate[] => {
        const found = existsSync(join(root, path)) ? caseOf({ path, before: bytes, after: readFileSync(join(root, path)) }) : null
        if (found === null) return []
        return [{ source: `debian:${source.name}`, version: source.version, change, licence: source.licence, isAlone: paths.length === 1, ...found }]
      })
    })
  return { candidates, root }
}

function changedPaths(patch: string, strip: number): string[] {
  const names = [...patch.matchAll(/^--- [^\n]*\n\+\+\+ ([^\t\r\n]+)/gm)].map((match) => (match[1] ?? '').trim().split('/').slice(strip).join('/'))
  return [...new Set(names.filter((name) => name !== ''))]
}

/** Always anew: a former run has applied the series to its tree. */
function unpack(source: DebianSource, work: string): string {
  mkdirSync(work, { recursive: true })
  const dsc = `${source.name}_${source.version.replace(/^\d+:/, '')}.dsc`
  if (!existsSync(join(work, dsc))) run('apt-get', ['-q', 'source', '--download-only', `${source.name}=${source.version}`], work)
  const root = join(work, source.name)
  rmSync(root, { recursive: true, force: true })
  run('dpkg-source', ['--no-copy', '--no-check', '--skip-patches', '-x', dsc, source.name], work)
  return root
}
