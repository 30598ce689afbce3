/**
 * The profile for sandbox-exec, from what a run may see and change. Pure. Every path goes in as a parameter (`-D`), never
 * into the text, so no name can be read as a rule. Of several rules that fit the last one holds.
 * Never run on a Mac. Sources: sandbox-exec(1), sandbox(7); the profiles that ship with macOS in
 * /System/Library/Sandbox/Profiles, and those of Chromium and Firefox for what a process cannot start without.
 */
export interface ProfilePlaces {
  /** Real paths. */
  readonly tree: string
  readonly isTreeWritable: boolean
  /** Private directories of the run. */
  readonly writable: readonly string[]
  readonly readable: readonly string[]
  /** Never written, wherever they lie and whether they are there yet. */
  readonly protect: readonly string[]
  readonly network: 'none' | 'host'
}

export interface Profile {
  readonly text: string
  readonly parameters: readonly (readonly [name: string, value: string])[]
}

/** What programs are made of: libraries, tools, the developer tools that /usr/bin/git and /usr/bin/python3 lead to. */
const SYSTEM = [
  '/System',
  '/usr',
  '/bin',
  '/sbin',
  '/Library/Apple',
  '/Library/Developer/CommandLineTools',
  '/Applications/Xcode.app/Contents',
  '/private/etc/ssl',
  '/private/var/db/dyld',
  '/private/var/db/oah',
  '/private/var/db/timezone',
  '/private/var/select',
]
/** Other names for everything else on the disk. */
const NOT_SYSTEM = ['/System/Volumes/Data']
const SYSTEM_FILES = [
  '/',
  '/etc',
  '/tmp',
  '/var',
  '/private/var/db/xcode_select_link',
  '/dev/null',
  '/dev/zero',
  '/dev/random',
  '/dev/urandom',
  ...['group', 'hosts', 'localtime', 'nsswitch.conf', 'passwd', 'protocols', 'services'].map((name) => `/private/etc/${name}`),
]
const NETWORK_FILES = ['/private/etc/resolv.conf', '/private/var/run/resolv.conf']
const SYSCTL_PREFIXES = ['hw.', 'machdep.cpu.']
const SYSCTLS = [
  ...[
    'argmax',
    'boottime',
    'hostname',
    'maxfilesperproc',
    'osproductversion',
    'osrelease',
    'ostype',
    'osversion',
    'secure_kernel',
    'usrstack64',
    'version',
  ].map((name) => `kern.${name}`),
  'sysctl.proc_cputype',
  'vm.loadavg',
]
/** Names of users and groups: git and shells ask for the home directory of the user. */
const SERVICES = ['com.apple.system.opendirectoryd.libinfo']
/** Names of hosts, and whether a certificate is trusted. */
const NETWORK_SERVICES = [
  'com.apple.SystemConfiguration.DNSConfiguration',
  'com.apple.SystemConfiguration.configd',
  'com.apple.dnssd.service',
  'com.apple.trustd',
  'com.apple.trustd.agent',
]

export function seatbeltProfile(places: ProfilePlaces): Profile {
  const parameters: (readonly [string, string])[] = []
  const param = (path: string) => {
    const name = `PATH_${parameters.length}`
    parameters.push([name, path])
    return `(param "${name}")`
  }
  const below = (paths: readonly string[]) => paths.map((path) => `(subpath ${param(path)})`)
  const exactly = (paths: readonly string[]) => paths.map((path) => `(literal ${param(path)})`)
  const hasNetwork = places.network === 'host'
  const changed = [...places.writable, ...(places.isTreeWritable ? [places.tree] : [])]
  const rules = [
    rule('deny', 'default'),
    // Four that `default` leaves open.
    ...['process-info*', 'nvram*', 'iokit-get-properties', 'file-map-executable'].map((operation) => rule('deny', operation)),
    rule('allow', 'process-fork'),
    rule('allow', 'signal process-info*', ['(target same-sandbox)']),
    rule('allow', 'sysctl-read', [
      ...SYSCTL_PREFIXES.map((name) => `(sysctl-name-prefix ${fixed(name)})`),
      ...SYSCTLS.map((name) => `(sysctl-name ${fixed(name)})`),
    ]),
    rule(
      'allow',
      'mach-lookup',
      [...SERVICES, ...(hasNetwork ? NETWORK_SERVICES : [])].map((name) => `(global-name ${fixed(name)})`),
    ),
    // Programs look at every folder above what they open.
    rule('allow', 'file-read-metadata'),
    rule('allow', READ, systemPaths(SYSTEM)),
    rule('deny', READ, systemPaths(NOT_SYSTEM)),
    rule(
      'allow',
      'file-read*',
      [...SYSTEM_FILES, ...(hasNetwork ? NETWORK_FILES : [])].map((path) => `(literal ${fixed(path)})`),
    ),
    rule('allow', 'file-read* file-write-data', ['(literal "/dev/null")', '(subpath "/dev/fd")']),
    rule('allow', READ, below([...places.readable, places.tree, ...places.writable])),
    rule('allow', 'file-write*', below(changed)),
    rule('deny', 'file-write*', below(kept(places, changed))),
    // Nor moved away with what is above it, nor those directories themselves.
    rule('deny', 'file-write-unlink', exactly([...changed, ...foldersAbove(places, changed)])),
    rule('deny', 'file-write-setugid'),
    ...(hasNetwork ? NETWORK : [rule('deny', 'network*')]),
  ]
  return { text: ['(version 1)', ...rules.filter((text) => text !== '')].join('\n'), parameters }
}

const READ = 'file-read* process-exec* file-map-executable'
/** Addresses only: a socket of the host that lies in a file (of Docker, of an SSH agent) is no host. */
const NETWORK = [
  rule('allow', 'system-socket'),
  rule('allow', 'network-outbound', ['(remote ip "*:*")', '(literal "/private/var/run/mDNSResponder")']),
  rule('allow', 'network-bind network-inbound', ['(local ip "*:*")']),
]

/** Without filters it is said of everything; with an empty list of them nothing is said. */
function rule(verdict: 'allow' | 'deny', operations: string, filters?: readonly string[]): string {
  if (filters === undefined) return `(${verdict} ${operations})`
  return filters.length === 0 ? '' : `(${verdict} ${operations}\n  ${filters.join('\n  ')})`
}

/** Text of this file only, as a string of the profile. */
const fixed = (text: string): string => `"${text}"`
const systemPaths = (paths: readonly string[]): string[] => paths.map((path) => `(subpath ${fixed(path)})`)

/** What is protected, and what is only to be read, where it lies in something that may be written. */
function kept({ protect, readable }: ProfilePlaces, changed: readonly string[]): string[] {
  return [...protect, ...readable.filter((path) => changed.some((top) => isBelow(top, path)))]
}

function foldersAbove(places: ProfilePlaces, changed: readonly string[]): string[] {
  const found = new Set<string>()
  for (const path of kept(places, changed)) {
    const top = changed.find((top) => isBelow(top, path))
    if (top === undefined) continue
    for (let at = parentOf(path); isBelow(top, at); at = parentOf(at)) found.add(at)
  }
  return [...found].toSorted()
}

const isBelow = (top: string, path: string): boolean => path.startsWith(`${top}/`)
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))
