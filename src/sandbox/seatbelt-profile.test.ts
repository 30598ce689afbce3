/**
 * The profile without a Mac: read and weighed by a small reader of its own, which knows the rules that sandbox(7) and the
 * profiles of macOS show: of those that fit the last one holds, `*` ends a family of operations, filters are alternatives.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seatbeltProfile, type Profile, type ProfilePlaces } from './seatbelt-profile.ts'

type Expression = string | readonly Expression[]

/** Strings keep their first quote, so that they are told from words. */
function read(text: string): Expression[] {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+/g) ?? []
  assert.equal(tokens.join('').replace(/\s/g, ''), text.replace(/\s/g, ''), 'nothing is left between the tokens')
  const stack: Expression[][] = [[]]
  for (const token of tokens) {
    if (token === '(') stack.push([])
    else if (token === ')') {
      const done = stack.pop() as Expression[]
      assert.ok(stack.length > 0, 'a parenthesis too many')
      stack.at(-1)?.push(done)
    } else stack.at(-1)?.push(token.startsWith('"') ? token.slice(0, -1) : token)
  }
  assert.equal(stack.length, 1, 'a parenthesis is missing')
  return stack[0] as Expression[]
}

function decide(profile: Profile, operation: string, path: string): 'allow' | 'deny' {
  const values = new Map(profile.parameters)
  const value = (of: Expression | undefined): string => {
    if (typeof of === 'string') return of.slice(1)
    const found = values.get(String(of?.[1]).slice(1))
    assert.ok(found !== undefined, 'a parameter that nobody gives')
    return found
  }
  const fits = ([kind, of]: readonly Expression[]) => {
    if (kind === 'literal') return path === value(of)
    if (kind === 'subpath') return path === value(of) || path.startsWith(`${value(of)}/`)
    return kind === 'target' && path === 'same-sandbox'
  }
  const covers = (name: string) => name === 'default' || name === operation || (name.endsWith('*') && operation.startsWith(name.slice(0, -1)))
  let verdict: 'allow' | 'deny' = 'allow'
  for (const form of read(profile.text)) {
    const [said, ...rest] = form as readonly Expression[]
    if (said !== 'allow' && said !== 'deny') continue
    const filters = rest.filter((part) => typeof part !== 'string')
    if (rest.some((part) => typeof part === 'string' && covers(part)) && (filters.length === 0 || filters.some(fits))) verdict = said
  }
  return verdict
}

const PLACES: ProfilePlaces = {
  tree: '/Users/a/tree',
  isTreeWritable: true,
  writable: ['/Users/a/state/run/tmp', '/Users/a/state/run/home'],
  readable: ['/opt/homebrew', '/Users/a/.nvm/versions/node/v22', '/Users/a/tree/vendored'],
  protect: ['/Users/a/tree/.git', '/Users/a/tree/packages/one/.env'],
  network: 'none',
}

/** Of macOS 13 and later, as its own profiles name them. */
const OPERATIONS = new Set(
  `default process-info* nvram* iokit-get-properties file-map-executable process-fork process-exec* signal sysctl-read mach-lookup file-read-metadata
  file-read* file-write* file-write-data file-write-unlink file-write-setugid network* network-outbound network-inbound network-bind system-socket`.split(
    /\s+/,
  ),
)

const rows: [title: string, operation: string, path: string, want: 'allow' | 'deny', change?: Partial<ProfilePlaces>][] = [
  ['reads the tree', 'file-read-data', '/Users/a/tree/src/a.ts', 'allow'],
  ['reads its toolchain', 'file-read-data', '/Users/a/.nvm/versions/node/v22/bin/node', 'allow'],
  ['starts its toolchain', 'process-exec', '/Users/a/.nvm/versions/node/v22/bin/node', 'allow'],
  ['starts a script of the tree', 'process-exec-interpreter', '/Users/a/tree/run.sh', 'allow'],
  ['maps a library of the system', 'file-map-executable', '/usr/lib/libSystem.B.dylib', 'allow'],
  ['reads the system', 'file-read-data', '/System/Library/CoreServices/SystemVersion.plist', 'allow'],
  ['reads the home of the person', 'file-read-data', '/Users/a/.ssh/id_ed25519', 'deny'],
  ['reads it by the other name of the disk', 'file-read-data', '/System/Volumes/Data/Users/a/.ssh/id_ed25519', 'deny'],
  ['reads keychains', 'file-read-data', '/Library/Keychains/System.keychain', 'deny'],
  ['lists the folder above the tree', 'file-read-data', '/Users/a', 'deny'],
  ['reads another tree with the same start', 'file-read-data', '/Users/a/tree-of-another/x', 'deny'],
  ['starts a program of the home', 'process-exec', '/Users/a/bin/tool', 'deny'],
  ['maps a library of the home', 'file-map-executable', '/Users/a/evil.dylib', 'deny'],
  ['looks at a folder above', 'file-read-metadata', '/Users/a', 'allow'],
  ['writes the tree', 'file-write-data', '/Users/a/tree/src/a.ts', 'allow'],
  ['writes its temporary directory', 'file-write-create', '/Users/a/state/run/tmp/x', 'allow'],
  ['writes a tree that is read-only', 'file-write-data', '/Users/a/tree/src/a.ts', 'deny', { isTreeWritable: false }],
  ['writes beside the tree', 'file-write-create', '/Users/a/x', 'deny'],
  ["writes vp's own state", 'file-write-data', '/Users/a/state/ledger.db', 'deny'],
  ['writes its toolchain', 'file-write-data', '/opt/homebrew/bin/node', 'deny'],
  ['writes a mount that lies in the tree', 'file-write-data', '/Users/a/tree/vendored/x', 'deny'],
  ['writes the system', 'file-write-data', '/usr/local/bin/node', 'deny'],
  ['writes in .git', 'file-write-create', '/Users/a/tree/.git/hooks/pre-commit', 'deny'],
  ['writes a secret', 'file-write-data', '/Users/a/tree/packages/one/.env', 'deny'],
  ['removes a secret', 'file-write-unlink', '/Users/a/tree/packages/one/.env', 'deny'],
  ['moves .git away', 'file-write-unlink', '/Users/a/tree/.git', 'deny'],
  ['moves a folder away that holds a secret', 'file-write-unlink', '/Users/a/tree/packages', 'deny'],
  ['moves another folder', 'file-write-unlink', '/Users/a/tree/src', 'allow'],
  ['moves the tree itself', 'file-write-unlink', '/Users/a/tree', 'deny'],
  ['removes its temporary directory', 'file-write-unlink', '/Users/a/state/run/tmp', 'deny'],
  ['makes a program of another user', 'file-write-setugid', '/Users/a/tree/x', 'deny'],
  ['links a file', 'file-link', '/Users/a/tree/.git/config', 'deny'],
  ['throws its output away', 'file-write-data', '/dev/null', 'allow'],
  ['writes to a disk', 'file-write-data', '/dev/disk0', 'deny'],
  ['reads a disk', 'file-read-data', '/dev/rdisk0', 'deny'],
  ['signals its own', 'signal', 'same-sandbox', 'allow'],
  ['signals others', 'signal', 'others', 'deny'],
  ['asks about other processes', 'process-info-pidinfo', 'others', 'deny'],
  ['connects', 'network-outbound', '127.0.0.1', 'deny'],
  ['listens', 'network-bind', '127.0.0.1', 'deny'],
  ['asks a service of the system', 'mach-lookup', 'com.apple.pboard', 'deny'],
  ['reaches the socket of Docker in a set-up', 'network-outbound', '/private/var/run/docker.sock', 'deny', { network: 'host' }],
  ['asks for names of hosts in a set-up', 'network-outbound', '/private/var/run/mDNSResponder', 'allow', { network: 'host' }],
  ['sends events to other programs', 'appleevent-send', 'com.apple.Finder', 'deny'],
]
describe('profile', () => {
  for (const [title, operation, path, want, change] of rows)
    test(`${want}: ${title}`, () => assert.equal(decide(seatbeltProfile({ ...PLACES, ...change }), operation, path), want))

  test('no operation that macOS does not know, and every parameter is used', () => {
    for (const network of ['none', 'host'] as const) {
      const { text, parameters } = seatbeltProfile({ ...PLACES, network })
      for (const form of read(text)) {
        const [said, ...rest] = form as readonly Expression[]
        if (said === 'version') continue
        for (const part of rest) assert.ok(typeof part !== 'string' || OPERATIONS.has(part), String(part))
      }
      for (const [name] of parameters) assert.ok(text.includes(`(param "${name}")`), name)
    }
  })

  test('addresses only in a set-up, and no service without one', () => {
    assert.match(seatbeltProfile({ ...PLACES, network: 'host' }).text, /\(allow network-outbound\n {2}\(remote ip "\*:\*"\)/)
    assert.doesNotMatch(seatbeltProfile(PLACES).text, /remote|trustd|SystemConfiguration/)
  })
})

const hostile = [
  'quote"',
  "'single'",
  'paren)(allow default)',
  '")(allow file-write*)("',
  'line\n(allow default)\nend',
  'back\\slash\\',
  '\\"',
  '#;(deny)',
  ';comment',
  '$HOME `id` $(id)',
  'a=b',
  ' blank ',
  '*?[a-z]',
  'é\u0301\u202e',
]
for (const name of hostile)
  test(`a path named ${JSON.stringify(name)} is a value and no rule`, () => {
    const tree = `/Users/a/${name}/tree`
    const places: ProfilePlaces = { ...PLACES, tree, protect: [`${tree}/${name}`], readable: [`/opt/${name}`], writable: [`/tmp/${name}`] }
    const profile = seatbeltProfile(places)
    const plain = (text: string) => text.replaceAll(/PATH_\d+/g, 'PATH')
    const same = { ...PLACES, protect: ['/Users/a/tree/x'], readable: ['/opt/x'], writable: ['/tmp/x'] }
    assert.equal(plain(profile.text), plain(seatbeltProfile(same).text), 'the text is the same whatever the names')
    assert.equal(decide(profile, 'file-write-data', `${tree}/src`), 'allow')
    assert.equal(decide(profile, 'file-write-data', `${tree}/${name}/x`), 'deny')
    assert.equal(decide(profile, 'file-write-data', '/Users/a/other'), 'deny')
    assert.equal(decide(profile, 'file-read-data', `/opt/${name}/bin/node`), 'allow')
  })
