/**
 * The human's own signing key, outside the sandbox: which it is stands in their user or system configuration of git,
 * never in the repository's, and neither configuration, key nor program may lie in the repository. Signs bytes with
 * `ssh-keygen` or `gpg` as git would start them. Leaves out x509, `gpg.ssh.defaultKeyCommand` and `includeIf`.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { VpError } from '../core/errors.ts'
import type { SignBytes } from './commit-object.ts'
import { nulList, type RunGit } from './git.ts'
import { findOutside, isWithin, outsidePath, startForPerson, type PersonsEnv } from './persons-programs.ts'

export interface Person {
  readonly env: PersonsEnv
  /** The repository, which has no say. */
  readonly root: string
  /** Where a payload may lie for a moment. */
  readonly tmp: string
  /** Somebody is at the terminal: a passphrase may be asked for. */
  readonly present: boolean
  readonly signal: AbortSignal
}

export type HumanKey =
  | { readonly kind: 'key'; readonly format: 'ssh' | 'openpgp'; readonly sign: SignBytes }
  /** `why` in words; `named` when a key is configured that vp cannot use. */
  | { readonly kind: 'none'; readonly why: string; readonly named: boolean }

/** Throws `sign.unsupported` when the configured key or program lies in the repository, or is not there. */
export async function humanKey(git: RunGit, person: Person): Promise<HumanKey> {
  const set = await signingConfig(git, person)
  const key = set.get('user.signingkey') ?? ''
  const format = set.get('gpg.format') ?? 'openpgp'
  if (key === '') return { kind: 'none', why: 'your user configuration of git names no key (user.signingkey), and the repository’s is not read', named: false }
  if (format === 'ssh') return { kind: 'key', format, sign: sshSigner(key, programOf('ssh-keygen', set.get('gpg.ssh.program'), person), person) }
  if (format === 'openpgp')
    return { kind: 'key', format, sign: gpgSigner(key, programOf('gpg', set.get('gpg.openpgp.program') ?? set.get('gpg.program'), person), person) }
  return { kind: 'none', why: `gpg.format is ${JSON.stringify(format.slice(0, 20))}, and vp signs with ssh and openpgp`, named: true }
}

const WANTED = '^(user[.]signingkey|gpg[.](format|program|openpgp[.]program|ssh[.]program))$'

/** System, then user, the last word counts; files in the repository say nothing, not even by an include. */
async function signingConfig(git: RunGit, { env, root }: Person): Promise<Map<string, string>> {
  const home = env['HOME'] ?? '/nonexistent'
  const users = env['GIT_CONFIG_GLOBAL']
    ? [env['GIT_CONFIG_GLOBAL']]
    : [join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'git', 'config'), join(home, '.gitconfig')]
  const files = [...(env['GIT_CONFIG_NOSYSTEM'] ? [] : [env['GIT_CONFIG_SYSTEM'] ?? '/etc/gitconfig']), ...users]
  const set = new Map<string, string>()
  for (const file of files.filter((one) => isAbsolute(one) && !isWithin(root, one) && mayName(one))) {
    const { stdout } = await git(['config', '--file', file, '--includes', '--show-origin', '-z', '--get-regexp', WANTED], { accept: [1], env: { HOME: home } })
    const parts = nulList(stdout)
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const origin = (parts[at] ?? '').replace(/^file:/, '')
      const [name = '', ...value] = (parts[at + 1] ?? '').split('\n')
      if (!isWithin(root, origin)) set.set(name.toLowerCase(), value.join('\n').trim())
    }
  }
  return set
}

/** A file in which none of these words stands says nothing of signing, and git need not be asked. */
function mayName(file: string): boolean {
  try {
    return /gpg|sign|include/i.test(readFileSync(file, 'latin1'))
  } catch {
    return existsSync(file) // git says why it cannot be read
  }
}

const WAY_OUT = ['vp config show', 'git config --global --get-regexp "gpg|signingkey"']

function programOf(usual: string, named: string | undefined, { env, root }: Person): string {
  const found = findOutside(named ?? usual, env, root)
  if (found !== null) return found
  throw new VpError('sign.unsupported', `${named ?? usual}, which signs for you, is not found outside this repository`, { next: WAY_OUT })
}

/** As git starts it, so that a program in its place (`gpg.ssh.program`) finds what it expects. */
function sshSigner(key: string, program: string, person: Person): SignBytes {
  const literal = key.startsWith('key::') ? key.slice(5) : /^(ssh|ecdsa|sk)-/.test(key) ? key : null
  const file = literal === null ? keyFile(key, person) : null
  return async (payload) => {
    mkdirSync(person.tmp, { recursive: true, mode: 0o700 })
    const directory = mkdtempSync(join(person.tmp, 'sign-'))
    try {
      const commit = join(directory, 'commit')
      writeFileSync(commit, payload, { mode: 0o600 })
      if (literal !== null) writeFileSync(join(directory, 'key.pub'), `${literal}\n`, { mode: 0o600 })
      await run(program, ['-Y', 'sign', '-n', 'git', '-f', file ?? join(directory, 'key.pub'), ...(literal === null ? [] : ['-U']), commit], null, person)
      return armoured(existsSync(`${commit}.sig`) ? readFileSync(`${commit}.sig`, 'utf8') : '', 'SSH SIGNATURE')
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

function keyFile(key: string, { env, root }: Person): string {
  const file = key.startsWith('~/') ? join(env['HOME'] ?? '/nonexistent', key.slice(2)) : key
  if (!isAbsolute(file) || !existsSync(file) || isWithin(root, file))
    throw new VpError('sign.unsupported', 'user.signingkey names no file outside this repository', { next: WAY_OUT })
  return file
}

function gpgSigner(key: string, program: string, person: Person): SignBytes {
  const home = person.env['GNUPGHOME'] ?? join(person.env['HOME'] ?? '/nonexistent', '.gnupg')
  // gpg-agent.conf names programs.
  if (!isAbsolute(home) || isWithin(person.root, home)) throw new VpError('sign.unsupported', 'the home of gpg lies in this repository', { next: WAY_OUT })
  return async (payload) => {
    const { stdout, stderr } = await run(program, [...(person.present ? [] : ['--batch']), '--status-fd=2', '-bsau', key], payload, person)
    if (!/^\[GNUPG:\] SIG_CREATED /m.test(stderr)) throw notSigned('gpg made no signature', program)
    return armoured(stdout, 'PGP SIGNATURE')
  }
}

/** One block and nothing else: it becomes a header of the commit. */
function armoured(text: string, label: string): string {
  const block = text.replaceAll('\r\n', '\n').trim()
  if (new RegExp(`^-----BEGIN ${label}-----\\n[A-Za-z0-9+/=:.() \\n-]+\\n-----END ${label}-----$`).test(block)) return block
  throw notSigned('what came back is no signature', label)
}

function notSigned(why: string, program: string): VpError {
  return new VpError('sign.failed', `your key did not sign: ${why}`, {
    data: { program },
    next: ['ssh-add -l', 'gpg --list-secret-keys', 'vp config show'],
    changed: 'your branch, index and files stay as they are',
  })
}

/** What the person's agent and their program need. */
const PERSONS =
  /^(HOME|USER|LOGNAME|GNUPGHOME|GPG_TTY|SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_ASKPASS_REQUIRE|SSH_SK_PROVIDER|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_RUNTIME_DIR|XDG_CONFIG_HOME|TERM|LANG|LC_\w+)$/
const PROGRAMS = ['SSH_ASKPASS', 'SSH_SK_PROVIDER']

const WAIT_MS = { present: 300_000, away: 60_000 }

/** Where nobody is at a terminal, nobody is asked for a passphrase and nobody waits for one. */
async function run(program: string, args: readonly string[], input: Buffer | null, person: Person): Promise<{ stdout: string; stderr: string }> {
  const theirs = Object.entries(person.env).filter(([name, value]) => PERSONS.test(name) && !(PROGRAMS.includes(name) && isWithin(person.root, value ?? '')))
  const env = { ...Object.fromEntries(theirs), PATH: outsidePath(person.env, person.root) }
  const waitMs = person.present ? WAIT_MS.present : WAIT_MS.away
  const { code, stdout, stderr } = await startForPerson(program, args, { env, input, waitMs, detached: !person.present, signal: person.signal })
  if (code === 0) return { stdout, stderr }
  throw notSigned(saidBy(stderr) || (code === null ? 'it gave no answer in time' : `exit ${code}`), program)
}

function saidBy(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('[GNUPG:]'))
  return (lines.at(-1) ?? '').trim().slice(0, 300)
}
