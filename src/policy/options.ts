/**
 * Options that choose code or reach outside, per program: never, in any spelling that the program's own parser takes
 * (`--name=value`, abbreviations, one dash or three, letters in one word, response files). What code a project's files
 * hold is not judged here: the sandbox is for that. Source: each program's manual; design/sandbox.md section 5.
 */
import type { GlobalDenial } from './global-rules.ts'
import { codeUrl } from './url-text.ts'

interface Manner {
  readonly never: readonly string[]
  /** Letters may stand together after one dash; these take the rest of the word as their value. */
  readonly valueLetters?: string
  /** A long option may be cut short. */
  readonly isCutShort?: true
  /** One dash, two or three are the same to it. */
  readonly anyDashes?: true
  /** Options of their own although they begin like one above, or hold its letter. */
  readonly fine?: readonly string[]
  /** `@file` holds more arguments. */
  readonly readsResponseFiles?: true
  /** Beyond options: a word that has no place among the arguments. */
  readonly neverWord?: (words: readonly string[]) => string | undefined
}

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}

const MANNERS: Readonly<Record<string, Manner>> = {
  node: {
    never: words(`
      --inspect --inspect-brk --inspect-wait --inspect-port --inspect-publish-uid --debug --require -r --import --loader
      --experimental-loader --env-file --env-file-if-exists --experimental-config-file --entry-url --experimental-entry-url
      --experimental-default-config-file --openssl-config --openssl-shared-config --icu-data-dir --build-snapshot
      --build-snapshot-config --snapshot-blob --experimental-sea-config --build-sea --run
    `),
    neverWord: (own) => (own.find((word) => !word.startsWith('-')) === 'inspect' ? 'inspect' : codeUrl(own)),
  },
  deno: { never: [], neverWord: codeUrl },
  bun: { never: [], neverWord: codeUrl },
  tsx: { never: [], neverWord: codeUrl },
  make: {
    never: words('-f -C -I -E --file --makefile --directory --include-dir --eval --jobserver-auth --jobserver-fds'),
    valueLetters: 'lOoW',
    isCutShort: true,
    fine: ['--jobs'],
    neverWord: (own) => own.find((word) => !word.startsWith('-') && word.includes('=')),
  },
  go: {
    never: words(`
      --exec --toolexec --vettool --overlay --modfile --C --ldflags --gcflags --asmflags --gccgoflags --compiler --pkgdir --mod
    `),
    anyDashes: true,
  },
  cargo: {
    never: words('--config -Z --manifest-path -C --target-dir --artifact-dir --out-dir --lockfile-path'),
    valueLetters: 'Fpj',
    neverWord: (own) => (own[0]?.startsWith('+') ? own[0] : undefined),
  },
  npm: {
    never: words(`
      --prefix -C --script-shell --node-options --registry --userconfig --globalconfig --cache -g --global -L --location
      --call --git --python --node-gyp --init-module
    `),
    valueLetters: 'w',
    isCutShort: true,
    anyDashes: true,
  },
  pnpm: {
    never: words(`
      --dir -C --prefix --script-shell --registry -g --global --config --pnpmfile --global-pnpmfile --use-node-version
      --node-options --store-dir --userconfig
    `),
    valueLetters: 'F',
    isCutShort: true,
    anyDashes: true,
  },
  yarn: {
    never: words(`
      --cwd --use-yarnrc --modules-folder --registry --script-shell --require --inspect --inspect-brk --global-folder --prefix
    `),
  },
  pytest: {
    never: words(`
      -p -c -o --config-file --override-ini --rootdir --basetemp --confcutdir --pdbcls --tx --rsyncdir --cov-config
    `),
    valueLetters: 'kmrnWD',
    readsResponseFiles: true,
  },
  mypy: { never: ['--python-executable', '--install-types'], isCutShort: true, readsResponseFiles: true },
  pylint: { never: ['--init-hook', '--load-plugins', '--rcfile'], isCutShort: true },
  ruff: { never: [], readsResponseFiles: true },
  mvn: {
    never: words('-f --file -s --settings -gs --global-settings -t --toolchains -gt --global-toolchains -ps --project-settings'),
    isCutShort: true,
    fine: ['-fae', '-ff', '-fn', '--fail-at-end', '--fail-fast', '--fail-never'],
    neverWord: neverForMaven,
  },
  gradle: {
    never: words(`
      -I --init-script -b --build-file -c --settings-file -p --project-dir -g --gradle-user-home --include-build
      --project-cache-dir -D --system-prop
    `),
    valueLetters: 'PxFM',
  },
  uv: {
    never: words(`
      --with --with-requirements --with-editable --directory --project --index-url --index --python -p
      --config-file --env-file --script -s
    `),
  },
  find: { never: words('-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls -files0-from') },
  rg: { never: words('--pre --hostname-bin -z --search-zip -f --file') },
  psql: {
    never: words('-c --command -o --output -L --log-file --variable -v --set'),
    valueLetters: 'dfhpUFPRT',
    isCutShort: true,
    neverWord: (own) => own.find((word) => /:\/\/|host(?:addr)?=/i.test(word)),
  },
  buf: { never: ['--template', '--config', '--plugin'] },
  protoc: { never: ['--plugin'], readsResponseFiles: true },
  'openapi-generator-cli': { never: ['--custom-generator'], neverWord: (own) => own.find((word) => word === 'version-manager') },
  markdownlint: { never: ['-r', '--rules', '-c', '--config'], valueLetters: 'iop' },
  'tree-sitter': { never: ['--lib-path', '-l', '--grammar-path', '-p', '--config-path'], valueLetters: 'DEn' },
}

/** Programs of nobody's shipped lane whose `@file` a lane's rule could not see into. */
const RESPONSE_FILES: ReadonlySet<string> = new Set(words('tsc javac java kotlinc gcc g++ cc c++ clang clang++ ld rustc swiftc csc msbuild dotnet'))

/** `own` is what `program` takes for itself: a script's or an inner program's arguments are left out. */
export function denyOption(program: string, own: readonly string[]): GlobalDenial | null {
  const manner = MANNERS[program]
  if ((manner?.readsResponseFiles === true || RESPONSE_FILES.has(program)) && own.some((word) => word.startsWith('@'))) return option(program, '@FILE')
  if (manner === undefined) return null
  const word = manner.neverWord?.(own)
  if (word !== undefined) return option(program, program === 'make' ? 'NAME=value' : word)
  const end = own.indexOf('--')
  const found = (end < 0 ? own : own.slice(0, end)).find((argument) => isNever(manner, program === 'node' ? argument.replaceAll('_', '-') : argument))
  return found === undefined ? null : option(program, found)
}

function isNever(manner: Manner, argument: string): boolean {
  if (!argument.startsWith('-') || argument === '-') return false
  const { never, valueLetters } = manner
  const name = argument.split('=', 1)[0] ?? ''
  if (manner.fine?.includes(name)) return false
  // `--config.key=value` sets a key of what `--config` sets whole.
  const heads = [name, name.split('.', 1)[0] ?? '']
  if (never.some((one) => heads.includes(one))) return true
  if (isLong(manner, name) && heads.some((head) => isSpelling(manner, head))) return true
  if (argument.startsWith('--')) return false
  if (valueLetters === undefined) return never.some((one) => one.length === 2 && argument.startsWith(one))
  for (const letter of argument.slice(1)) {
    if (never.includes(`-${letter}`)) return true
    if (valueLetters.includes(letter)) return false
  }
  return false
}

function isLong(manner: Manner, name: string): boolean {
  return name.startsWith('--') || manner.anyDashes === true
}

/** Two letters are too few to be sure whose abbreviation they are where one dash may begin a long option. */
function isSpelling({ never, isCutShort, anyDashes }: Manner, name: string): boolean {
  const bare = name.replace(/^-+/, '')
  if (bare === '') return false
  const isEnough = bare.length >= (anyDashes ? 3 : 1)
  return never.some((one) => one.startsWith('--') && (one.slice(2) === bare || (isCutShort === true && isEnough && one.slice(2).startsWith(bare))))
}

const PHASES: ReadonlySet<string> = new Set(words('clean validate compile test-compile test verify integration-test package'))
/** Properties that choose which tests run and how they are told; all others may choose a program. */
const PROPERTY = /^(?:test|it\.test|groups|excludedGroups|skipTests|skipITs|maven\.test\.skip|surefire\.\w+|failsafe\.\w+|style\.color)(?:=|$)/

/** A goal runs a plugin, and a property can name the program that it starts. */
function neverForMaven(own: readonly string[]): string | undefined {
  const takesValue = /^(?:-pl|--projects|-P|--activate-profiles|-T|--threads|-rf|--resume-from|-l|--log-file|-b|--builder|--color)$/
  return own.find((word, at) => {
    const before = own[at - 1] ?? ''
    if (/^(?:-D|--def(?:i|in|ine)?)$/.test(before)) return !PROPERTY.test(word)
    if (/^--def[a-z]*=/.test(word)) return true
    if (/^-D./.test(word)) return !PROPERTY.test(word.slice(2))
    return !word.startsWith('-') && !PHASES.has(word) && !takesValue.test(before)
  })
}

function option(program: string, argument: string): GlobalDenial {
  return {
    rule: `global/${program}-option`,
    reason: `${argument} lets ${program} run or read something else`,
    nearest: `${program} without ${argument}`,
  }
}
