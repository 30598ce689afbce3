/** Environment before the user's file before the default, each with its source; a wrong file is named, never half read. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { loadConfig } from './config.ts'
import { pathsFrom, settledEnvironment } from './paths.ts'
import { resolvedStateDirectory } from './state-directory.ts'

const directory = mkdtempSync(join(tmpdir(), 'vp-config-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'config.json')

const cases: [title: string, text: string | null, env: Record<string, string>, name: string, value: unknown, source: string][] = [
  ['a default', null, {}, 'parallel', 2, 'default'],
  ['the file before the default', '{"parallel":4}', {}, 'parallel', 4, file],
  ['a default beside it', '{"parallel":4}', {}, 'max_attempts', 3, 'default'],
  ['the environment before the file', '{"sandbox":"box"}', { VP_SANDBOX: 'landlock' }, 'sandbox', 'landlock', 'VP_SANDBOX'],
  ['the file where the environment is silent', '{"sandbox":"box"}', {}, 'sandbox', 'box', file],
]
for (const [title, text, env, name, value, source] of cases)
  test(`config: ${title}`, () => {
    rmSync(file, { force: true })
    if (text !== null) writeFileSync(file, text)
    const { config, sources } = loadConfig(file, env)
    assert.deepEqual([(config as unknown as Record<string, unknown>)[name], sources.find((one) => one.name === name)], [value, { name, value, source }])
  })

test('config: git.sign is shown by its own name, with its default', () => {
  writeFileSync(file, '{"git":{"sign":"each"}}')
  const shown = (at: string) => loadConfig(at, {}).sources.find((one) => one.name === 'git.sign')
  assert.deepEqual(shown(file), { name: 'git.sign', value: 'each', source: file })
  assert.deepEqual(shown(join(directory, 'nowhere.json')), { name: 'git.sign', value: 'merge', source: 'default, where you have a key' })
})

const wrong: [title: string, text: string, env: Record<string, string>][] = [
  ['no JSON', '{', {}],
  ['an unknown member', '{"paralel":4}', {}],
  ['a value out of range', '{"parallel":0}', {}],
  ['an unknown sandbox', '{}', { VP_SANDBOX: 'none' }],
  ['an unknown word for what is signed', '{"git":{"sign":"always"}}', {}],
]
for (const [title, text, env] of wrong)
  test(`config refused: ${title}`, () => {
    writeFileSync(file, text)
    assert.throws(
      () => loadConfig(file, env),
      (error) => isVpError(error) && error.code === 'config.invalid',
    )
  })

const places: [title: string, env: Record<string, string>, state: string, configFile: string][] = [
  ['by HOME', { HOME: '/h' }, '/h/.local/state/vp', '/h/.config/vp/config.json'],
  ['by XDG before HOME', { HOME: '/h', XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' }, '/s/vp', '/c/vp/config.json'],
  ['a relative XDG is none', { HOME: '/h', XDG_STATE_HOME: 's' }, '/h/.local/state/vp', '/h/.config/vp/config.json'],
  ['our own variables before XDG', { HOME: '/h', XDG_STATE_HOME: '/s', VP_STATE_DIR: '/v', VP_CONFIG: '/v/c.json' }, '/v', '/v/c.json'],
]
for (const [title, env, state, configFile] of places)
  test(`paths: ${title}`, () => assert.deepEqual([pathsFrom(env).state, pathsFrom(env).configFile], [state, configFile]))

const settled: [title: string, env: Record<string, string>, want: Record<string, string>][] = [
  ['empty is unset', { VP_STATE_DIR: '', VP_MODEL_BASE_URL: '', XDG_STATE_HOME: '', HOME: '', PLMS_API_BASE_URL: '' }, {}],
  ['what is set stays', { VP_STATE_DIR: '/s', XDG_STATE_HOME: '/x', HOME: '/h' }, { VP_STATE_DIR: '/s', XDG_STATE_HOME: '/x', HOME: '/h' }],
  ['a relative XDG directory is ignored', { XDG_STATE_HOME: 'state', XDG_CONFIG_HOME: './c', XDG_SESSION_TYPE: 'tty' }, { XDG_SESSION_TYPE: 'tty' }],
  ['what others mean by empty is theirs', { GIT_CONFIG_GLOBAL: '', NO_COLOR: '' }, { GIT_CONFIG_GLOBAL: '', NO_COLOR: '' }],
]
for (const [title, env, want] of settled) test(`environment: ${title}`, () => assert.deepEqual(settledEnvironment(env), want))

test('environment: a relative state directory is taken from where vp is, and never within a repository', () => {
  const outside = join(directory, 'outside')
  const repository = join(directory, 'repository')
  mkdirSync(join(repository, '.git'), { recursive: true })
  mkdirSync(join(repository, 'deep'))
  assert.equal(resolvedStateDirectory({ VP_STATE_DIR: 's' }, outside)['VP_STATE_DIR'], join(outside, 's'))
  assert.equal(resolvedStateDirectory({ VP_STATE_DIR: '../s' }, repository)['VP_STATE_DIR'], join(directory, 's'))
  assert.equal(resolvedStateDirectory({ VP_STATE_DIR: '/s' }, repository)['VP_STATE_DIR'], '/s')
  for (const named of ['s', '.', '../deep/s'])
    assert.throws(
      () => resolvedStateDirectory({ VP_STATE_DIR: named }, join(repository, 'deep')),
      (error) => isVpError(error) && error.code === 'usage.flag',
    )
})
