/** Candidates from npm: files of one published version that the next one changed. Only sources and Markdown. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { caseOf, langOf, type Candidate } from './candidate.ts'
import type { NpmSource } from './list.ts'
import { run } from './run.ts'

export interface Unpacked {
  readonly candidates: readonly Candidate[]
  /** Where the licence lies. */
  readonly root: string
}

export function fromNpm(source: NpmSource, work: string): Unpacked {
  const roots = source.versions.map((version) => unpack(source.name, version, work))
  const candidates = source.versions.slice(1).flatMap((version, at) => {
    const [older, newer] = [roots[at] ?? '', roots[at + 1] ?? '']
    const from = { source: `npm:${source.name}`, version: `${source.versions[at]}..${version}`, change: '', licence: source.licence, isAlone: true }
    return textFiles(older)
      .filter((path) => existsSync(join(newer, path)))
      .flatMap((path) => {
        const found = caseOf({ path, before: readFileSync(join(older, path)), after: readFileSync(join(newer, path)) })
        return found === null ? [] : [{ ...from, ...found }]
      })
  })
  return { candidates, root: roots.at(-1) ?? '' }
}

function textFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => ['ts', 'md'].includes(langOf(path) ?? ''))
    .toSorted()
}

function unpack(name: string, version: string, work: string): string {
  const root = join(work, 'npm', `${name.replaceAll('/', '+')}@${version}`)
  if (!existsSync(root)) {
    mkdirSync(root, { recursive: true })
    const archive =
      run('npm', ['pack', '--silent', '--ignore-scripts', `${name}@${version}`], join(work, 'npm'))
        .trim()
        .split('\n')
        .at(-1) ?? ''
    run('tar', ['-xzf', join('..', archive), '--strip-components=1', '--no-same-owner', '--no-same-permissions'], root)
  }
  return root
}
