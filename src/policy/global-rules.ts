/**
 * What no lane and no flag can allow, for a command and for what it really runs.
 * Sources: contracts/policy.md section 4, design/sandbox.md section 5.
 */
import { gitDeny } from './git-rules.ts'
import { WRAPPERS } from './code-programs.ts'
import { innerCommand, isInterpreter, isScriptRunner, outsideScript, ownArguments } from './interpreters.ts'
import { namesMetadataHost } from './metadata-hosts.ts'
import { denyOption } from './options.ts'
import { programOf } from './program-name.ts'

export interface GlobalDenial {
  readonly rule: string
  readonly reason: string
  readonly nearest?: string
}

/** A list in a line of words. */
function words(text: string): string[] {
  return text.trim().split(/\s+/)
}

const SHELLS = words(`
    sh bash dash zsh fish ksh mksh csh tcsh ash rbash busybox toybox pwsh powershell cmd nu xonsh elvish
    yash sash posh rc es osh slsh rksh
  `)
const BUILTINS = words('eval exec source . alias command builtin trap')
const NETWORK = words('curl wget nc ncat netcat socat ssh scp sftp rsync ftp telnet aria2c httpie http https xh')
const PRIVILEGE = words(`
    sudo su doas pkexec runuser setpriv unshare nsenter chroot chown chgrp setcap setfacl chattr mount umount
    runcon newgrp gosu su-exec machinectl
  `)
const KILL = words('kill pkill killall xkill skill fuser')
const DESTROY = words('rmdir dd shred mkfs wipefs truncate fdisk parted')
const DAEMONS = words(`
    docker podman kubectl systemctl service crontab at launchctl tmux screen nohup setsid
    systemd-run start-stop-daemon daemonize daemon batch dtach abduco
  `)
const SYSTEM_PACKAGES = words(`
    apt apt-get dpkg yum dnf rpm apk pacman zypper brew port snap flatpak choco winget nix nix-env nix-shell npx pnpx
    bunx uvx pipx corepack nvm volta rustup
  `)
/** Modules of Python, or the programs of the same name, that change what is installed. */
const PYTHON_INSTALLERS: ReadonlySet<string> = new Set(['ensurepip', 'venv', 'virtualenv', 'pipx'])

const BY_NAME: ReadonlyMap<string, GlobalDenial> = new Map([
  ...named(SHELLS, 'global/no-shell', 'there is no shell, with any flags', 'the program itself, as a list of arguments'),
  ...named(BUILTINS, 'global/no-shell', 'shell built-ins do not exist here'),
  ...named(NETWORK, 'global/no-network', 'commands have no network'),
  ...named(PRIVILEGE, 'global/no-privilege', 'rights are never raised or changed'),
  ...named(KILL, 'global/no-kill', 'processes are ended by vp'),
  ...named(DESTROY, 'global/no-destroy', 'it can destroy files that have no before-image', 'fs.patch, which can be undone'),
  ...named(DAEMONS, 'global/no-daemon', 'it reaches a daemon or outlives the run'),
  ...named(SYSTEM_PACKAGES, 'global/no-install', 'packages are installed by a person', 'npm ci, by a person'),
])

/** Sub-commands that install, publish or run what they fetch. */
const INSTALLS: Readonly<Record<string, readonly string[]>> = {
  npm: words(`
    install i in ins inst insta instal isnt isnta isntal isntall add uninstall un remove rm r update up
    upgrade link ln exec x init create innit publish unpublish config c set explore login adduser token owner
    access install-test it rebuild rb edit pkg hook deprecate dist-tag
  `),
  pnpm: words('add remove rm update up upgrade link dlx exec create publish config env setup self-update'),
  yarn: words('add remove upgrade up link dlx exec create publish config global set plugin npm node'),
  pip: ['install', 'uninstall', 'download', 'wheel', 'config'],
  uv: words('pip add remove tool python self publish'),
  poetry: words('add remove update self publish config'),
  gem: ['install', 'uninstall', 'update', 'push'],
  cargo: words('install add remove uninstall publish login owner yank'),
  go: ['install', 'get'],
  bun: words('install i add remove x create link update upgrade publish'),
  deno: ['install', 'add', 'upgrade', 'eval', 'repl'],
  conda: ['install', 'create', 'update', 'remove'],
}

/** Programs within programs: nobody means more, and judging more takes time that grows with every one. */
const MAX_DEPTH = 3
const MAX_TAILS = 64

export function globalDeny(argv: readonly string[]): GlobalDenial | null {
  return argv.some(namesMetadataHost) ? { rule: 'global/cloud-metadata', reason: 'cloud metadata addresses are never reached' } : denyProgram(argv, 0)
}

function denyProgram(argv: readonly string[], depth: number): GlobalDenial | null {
  const program = programOf(argv)
  const rest = argv.slice(1)
  const byName = BY_NAME.get(program)
  if (byName !== undefined) return byName
  if (/^mkfs\b/.test(program)) return { rule: 'global/no-destroy', reason: 'it can destroy files that have no before-image' }
  if (depth > MAX_DEPTH) return { rule: 'global/nesting', reason: 'too many programs that run one another' }
  if (program === 'git') return gitDeny(rest)
  if (WRAPPERS.has(program)) return denyWrapped(program, rest, depth)
  return (
    denyFiles(program, rest) ??
    denyInstall(program, rest) ??
    denyOption(program, ownArguments(program, rest)) ??
    denyScript(program, rest) ??
    denyInner(program, rest, depth)
  )
}

function denyScript(program: string, rest: readonly string[]): GlobalDenial | null {
  const outside = outsideScript(program, rest)
  return outside === null
    ? null
    : { rule: 'global/script-outside', reason: `${outside} is no file of the workspace`, nearest: `${program} with a path below the workspace` }
}

/** What stands inside is held to the same rules, as deep as it goes: each step is shorter than the one before. */
function denyInner(program: string, rest: readonly string[], depth: number): GlobalDenial | null {
  const inner = innerCommand(program, rest)
  if (inner === null) return null
  const name = programOf(inner)
  if (isScriptRunner(program) && !isInterpreter(name) && !SHELLS.includes(name)) return null
  const denied = denyProgram(inner, depth + 1)
  return denied === null ? null : { ...denied, reason: `${program} would run it: ${denied.reason}` }
}

/** Which argument is the inner program depends on the wrapper's options, so every tail must be free of denials: each looked at once. */
function denyWrapped(program: string, rest: readonly string[], depth: number): GlobalDenial | null {
  const splits = rest.find((argument) => /^(?:-[a-zA-Z]*S|--split-string)/.test(argument))
  if (splits !== undefined && (program === 'env' || rest.includes('env'))) return { rule: 'global/no-shell', reason: 'env -S splits a string as a shell would' }
  let tails = 0
  for (const [at, word] of rest.entries()) {
    const name = word.split('/').at(-1) ?? ''
    // A wrapper within this one has no tails but these.
    if (name === '' || name.startsWith('-') || name.includes('=') || WRAPPERS.has(programOf([name]))) continue
    if (++tails > MAX_TAILS)
      return { rule: 'global/nesting', reason: `too many words behind ${program} to tell what it would run`, nearest: `the program without ${program}` }
    const inner = denyProgram([name, ...rest.slice(at + 1)], depth + 1)
    if (inner !== null) return { ...inner, reason: `${program} would run it: ${inner.reason}` }
  }
  return null
}

function denyFiles(program: string, rest: readonly string[]): GlobalDenial | null {
  if (program === 'rm' && rest.some((argument) => /^-[a-zA-Z]*[rR]/.test(argument) || argument.startsWith('--r'))) {
    return {
      rule: 'global/no-recursive-rm',
      reason: 'a tree removed by a command cannot be undone',
      nearest: 'a patch that deletes the files',
    }
  }
  const mode = /^(?:[ugoa]*[+=][rwXst]*x|[0-7]*[1357][0-7]*$|[ugoa]*[+=][rwx]*[st])/
  if (program === 'chmod' && rest.some((argument) => argument.split(',').some((part) => mode.test(part)))) {
    return {
      rule: 'global/no-chmod-x',
      reason: 'commands do not make files executable',
      nearest: 'a patch with new mode 100755',
    }
  }
  return null
}

function denyInstall(program: string, rest: readonly string[]): GlobalDenial | null {
  const reason = 'packages are installed, published and fetched by a person only'
  if (PYTHON_INSTALLERS.has(program)) return { rule: 'global/no-install', reason }
  const verbs = INSTALLS[program]
  const words = rest.filter((argument) => !argument.startsWith('-'))
  const verb = words[0]?.toLowerCase()
  if (verbs !== undefined && verb !== undefined && verbs.includes(verb)) return { rule: 'global/no-install', reason, nearest: 'npm ci, by a person' }
  const isLocked = (program === 'pnpm' || program === 'yarn') && (verb === 'install' || verb === 'i')
  return isLocked && words.length > 1 ? { rule: 'global/no-install', reason } : null
}

function named(programs: readonly string[], rule: string, reason: string, nearest?: string): [string, GlobalDenial][] {
  return programs.map((program) => [program, { rule, reason, ...(nearest === undefined ? {} : { nearest }) }])
}
