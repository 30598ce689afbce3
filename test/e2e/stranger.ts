import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Place } from './kit.ts'

/** Somebody else's machine: another zone and language, an empty home, a temporary directory of its own. */
export function stranger(t: TestContext, env: Readonly<Record<string, string | undefined>> = {}): Place {
  const root = mkdtempSync(join(tmpdir(), 'vp-stranger-'))
  t.after(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }))
  mkdirSync(join(root, 'home'))
  mkdirSync(join(root, 'their files'))
  const all = {
    PATH: process.env['PATH'],
    HOME: join(root, 'home'),
    TMPDIR: join(root, 'their files'),
    XDG_CACHE_HOME: join(tmpdir(), 'vp-e2e-cache'),
    TZ: 'Asia/Kolkata',
    LANG: 'de_DE.UTF-8',
    VP_SANDBOX: process.env['VP_SANDBOX'],
    ...env,
  }
  const set = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>
  return { root, repository: root, state: join(root, 'state'), env: set }
}

/** Typed into a shell, one after the other. */
export function typed(place: Place, lines: readonly string[]): string {
  return execFileSync('sh', ['-ec', lines.join('\n')], { cwd: place.root, env: place.env, encoding: 'utf8' })
}
