/**
 * What no lane and no flag can allow, and which arguments turn a program into an interpreter of its arguments.
 * Sources: contracts/policy.md section 4, design/sandbox.md section 5.
 */
import { gitDeny } from './git-rules.ts'

export interface GlobalDenial {
  readonly rule: string
  readonly reason: string
  readonly nearest?: string
}

export interface InlineCode {
  readonly flag: string
  readonly reason: string
  /** True where the question is put even if the lane has no rule for the program. */
  readonly asksAlways: boolean
}

/** A list in a line of words. */
function words(text: string): string[] {
  return text.trim().split(/\s+/)
}

const SHELLS = words(`
    sh bash dash zsh fish ksh mksh csh tcsh ash rbash busybox toybox pwsh powershell cmd nu xonsh elvish
  `)
const BUILTINS = words('eval exec source . alias command builtin trap')
const NETWORK = words('curl wget nc ncat netcat socat ssh scp sftp rsync ftp telnet aria2c httpie http https xh')
const PRIVILEGE = words(`
    sudo su doas pkexec runuser setpriv unshare nsenter chroot chown chgrp setcap setfacl chattr mount umount
  `)
const KILL = words('kill pkill killall xkill skill fuser')
const DESTROY = words('rmdir dd shred mkfs wipefs truncate fdisk parted')
const DAEMONS = words('docker podman kubectl systemctl service crontab at launchctl tmux screen nohup setsid')
const SYSTEM_PACKAGES = words(`
    apt apt-get dpkg yum dnf rpm apk pacman zypper brew port snap flatpak choco winget nix nix-env npx pnpx
    bunx uvx pipx corepack nvm volta rustup
  `)
const WRAPPERS = words(`
    env xargs timeout nice ionice time stdbuf watch parallel script expect strace ltrace gdb chrt taskset
    flock unbuffer caffeinate
  `)

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

const METADATA_HOSTS = ['169.254.169.254', 'metadata.google.internal', 'fd00:ec2::254', '100.100.100.200', '169.254.170.2']

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

/** Options that choose code or reach outside, per program: never, in any spelling that the program takes. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  node: words(`
    --inspect --inspect-brk --inspect-wait --inspect-port --debug --require -r --import --loader
    --experimental-loader --env-file --env-file-if-exists --experimental-config-file
    --experimental-default-config-file --openssl-config --build-snapshot --run
  `),
  make: words('-f -C -I --file --makefile --directory --include-dir --eval --eva --fil --mak --dir --inc -E'),
  go: words(`
    -exec --exec -toolexec --toolexec -vettool --vettool -overlay --overlay -modfile --modfile -C -ldflags
    --ldflags -gcflags --gcflags
  `),
  cargo: ['--config', '-Z', '--manifest-path', '-C', '--target-dir'],
  npm: words(`
    --prefix -C --script-shell --node-options --registry --userconfig --globalconfig --cache -g --global
    --location
  `),
  pnpm: words('--dir -C --prefix --script-shell --registry -g --global --config'),
  yarn: ['--cwd', '--use-yarnrc', '--modules-folder', '--registry', '--script-shell'],
  pytest: words('-p -c --config-file --rootdir --basetemp --confcutdir --pdbcls -o --override-ini'),
  mvn: words('-f --file -s --settings -gs -t'),
  gradle: words('-I --init-script -b -p --project-dir -g --include-build -c'),
  uv: words(`
    --with --with-requirements --with-editable --directory --project --index-url --index --python -p
    --config-file --env-file --script -s
  `),
  find: words('-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls -files0-from'),
  rg: words('--pre --hostname-bin -z --search-zip -f --file'),
  psql: words('-c --command -o --output -L --log-file --variable -v --set'),
}

const EVAL_FLAGS: Readonly<Record<string, RegExp>> = {
  node: /^(?:-[a-z]{0,2}[epi][a-z]{0,2}|--eval(?:=.*)?|--print(?:=.*)?|--interactive|--eval-.*|-)$/s,
  python: /^(?:-[A-Za-bd-z]*c.*|-)$/s,
  ruby: /^(?:-[A-Za-z]*e.*|-)$/s,
  perl: /^(?:-[A-Za-z0]*[eE].*|-)$/s,
  php: /^(?:-r.*|-)$/s,
  bun: /^(?:-e|-p|--eval(?:=.*)?|--print(?:=.*)?|-)$/s,
  lua: /^(?:-e.*|-)$/s,
  rscript: /^-e$/,
}

/** The name rules go by: lower case, no `.exe`, no version. */
export function programOf(argv: readonly string[]): string {
  const name = (argv[0] ?? '').toLowerCase().replace(/\.(?:exe|cmd|bat|com|ps1)$/, '')
  const plain = name.replace(/-?\d[\d.]*$/, '')
  return plain === '' ? name : plain === 'nodejs' ? 'node' : plain
}

export function globalDeny(argv: readonly string[]): GlobalDenial | null {
  const program = programOf(argv)
  const rest = argv.slice(1)
  const byName = BY_NAME.get(program)
  if (byName !== undefined) return byName
  if (/^mkfs\b/.test(program)) return { rule: 'global/no-destroy', reason: 'it can destroy files that have no before-image' }
  if (argv.some((argument) => METADATA_HOSTS.some((host) => argument.toLowerCase().includes(host)))) {
    return { rule: 'global/cloud-metadata', reason: 'cloud metadata addresses are never reached' }
  }
  if (program === 'git') return gitDeny(rest)
  if (WRAPPERS.includes(program)) return denyWrapped(program, rest)
  return denyFiles(program, rest) ?? denyInstall(program, rest) ?? denyOption(program, rest)
}

/** Code given as an argument, or a program that runs whatever its arguments name. */
export function inlineCode(argv: readonly string[]): InlineCode | null {
  const program = programOf(argv)
  const rest = argv.slice(1)
  if (WRAPPERS.includes(program)) {
    return {
      flag: argv[0] ?? '',
      reason: `${program} runs the program that its arguments name`,
      asksAlways: program === 'env',
    }
  }
  const pattern = EVAL_FLAGS[program]
  if (pattern === undefined) return null
  if (rest.length === 0) return { flag: '', reason: `${program} without a file reads code from its input`, asksAlways: false }
  const flag = interpreterArguments(rest).find((argument) => pattern.test(argument.replaceAll('_', '-')))
  return flag === undefined ? null : { flag, reason: `${flag} makes ${program} run code from its arguments`, asksAlways: false }
}

/**
 * The arguments that may still be the interpreter's: up to the first word that follows no option. A word after an
 * option may be its value, so the search goes on behind it: asking once too often is the safe side.
 */
function interpreterArguments(rest: readonly string[]): string[] {
  const own: string[] = []
  for (const [at, argument] of rest.entries()) {
    if (argument === '--') break
    const previous = rest[at - 1]
    const isWord = !argument.startsWith('-') || argument === ''
    if (isWord && (previous === undefined || !previous.startsWith('-') || previous.includes('='))) break
    own.push(argument)
  }
  return own
}

function denyWrapped(program: string, rest: readonly string[]): GlobalDenial | null {
  if (rest.some((argument) => /^(?:-[a-zA-Z]*S|--split-string)/.test(argument)) && program === 'env') {
    return { rule: 'global/no-shell', reason: 'env -S splits a string as a shell would' }
  }
  // Which argument is the inner program depends on the wrapper's options, so every tail must be free of denials.
  for (let at = 0; at < Math.min(rest.length, 16); at++) {
    const name = (rest[at] ?? '').split('/').at(-1) ?? ''
    const inner = name === '' || name.startsWith('-') || name.includes('=') ? null : globalDeny([name, ...rest.slice(at + 1)])
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
  if (program === 'python' && /^(?:pip|ensurepip|venv|pipx)$/.test(moduleOf(rest) ?? '')) return { rule: 'global/no-install', reason }
  const verbs = INSTALLS[program]
  const words = rest.filter((argument) => !argument.startsWith('-'))
  const verb = words[0]?.toLowerCase()
  if (verbs !== undefined && verb !== undefined && verbs.includes(verb)) return { rule: 'global/no-install', reason, nearest: 'npm ci, by a person' }
  const isLocked = (program === 'pnpm' || program === 'yarn') && (verb === 'install' || verb === 'i')
  return isLocked && words.length > 1 ? { rule: 'global/no-install', reason } : null
}

function moduleOf(rest: readonly string[]): string | null {
  for (const [at, argument] of rest.entries()) {
    const joined = /^-[A-Za-z]*?m(.*)$/.exec(argument)
    if (joined) return joined[1] || (rest[at + 1] ?? '')
  }
  return null
}

function denyOption(program: string, rest: readonly string[]): GlobalDenial | null {
  if (program === 'cargo' && rest[0]?.startsWith('+')) return option(program, rest[0])
  if (program === 'make' && rest.some((argument) => /^[A-Za-z_.][\w.]*\s*[:?+!]*=/.test(argument))) return option('make', 'NAME=value')
  if (program === 'psql' && rest.some((argument) => /:\/\/|host(?:addr)?=/i.test(argument))) return option('psql', 'a connection string')
  const taken = OPTIONS[program]
  if (taken === undefined) return null
  // A script's own arguments are not the interpreter's; everywhere else `--` ends the options.
  const end = rest.indexOf('--')
  const own = program === 'node' ? interpreterArguments(rest) : end < 0 ? rest : rest.slice(0, end)
  const found = own
    .map((argument) => (program === 'node' ? argument.replaceAll('_', '-') : argument))
    .find((argument) => taken.some((name) => isOption(name, argument, program)))
  return found === undefined ? null : option(program, found)
}

function isOption(name: string, argument: string, program: string): boolean {
  if (argument === name || argument.startsWith(`${name}=`)) return true
  if (name.startsWith('--')) return program === 'make' && name.length < 7 && argument.startsWith(name)
  // A short option may carry its value; words after one dash, as go and find have them, may not.
  return name.length === 2 && !argument.startsWith('--') && argument.startsWith(name) && program !== 'go' && program !== 'node'
}

function option(program: string, argument: string): GlobalDenial {
  return {
    rule: `global/${program}-option`,
    reason: `${argument} lets ${program} run or read something else`,
    nearest: `${program} without ${argument}`,
  }
}

function named(programs: readonly string[], rule: string, reason: string, nearest?: string): [string, GlobalDenial][] {
  return programs.map((program) => [program, { rule, reason, ...(nearest === undefined ? {} : { nearest }) }])
}
