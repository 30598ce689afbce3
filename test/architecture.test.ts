/**
 * Imports go one way and never in a circle; what answers fast loads built-ins only. The table is the architecture:
 * a layer may import itself, what is listed for it, and `core`.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

/** Layer → the layers it may import besides itself and `core`. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: [],
  policy: [],
  patch: [],
  store: [],
  ledger: ['store'],
  workspace: [],
  sandbox: [],
  models: [],
  agent: ['models'],
  plms: ['agent', 'store', 'pas/contract'],
  pas: ['store'],
  operations: ['config', 'policy', 'patch', 'store', 'ledger', 'workspace', 'sandbox', 'models', 'agent', 'plms', 'pas'],
  surfaces: ['config', 'policy', 'patch', 'store', 'ledger', 'models', 'agent', 'plms', 'pas', 'sandbox', 'workspace', 'operations'],
  compose: ['config', 'policy', 'store', 'ledger', 'sandbox', 'workspace', 'operations', 'surfaces'],
  'main.ts': ['config', 'compose'],
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
  readonly lazy: boolean
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|(\bimport)\(\s*'([^']+)'\s*\)/g

function importsOf(file: string): { specifier: string; typeOnly: boolean; lazy: boolean }[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => ({
    specifier: match[2] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
    lazy: match[3] !== undefined,
  }))
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => join(SRC, name))

const imports: Import[] = files.flatMap((from) =>
  importsOf(from)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier, typeOnly, lazy }) => ({ from, to: join(dirname(from), specifier), typeOnly, lazy })),
)

const name = (file: string) => relative(SRC, file)
const layerOf = (file: string) => name(file).split('/')[0] ?? ''

test('every import leads to a file', () => {
  assert.ok(imports.length > 500, `${imports.length} imports were read`)
  assert.deepEqual(
    imports.filter(({ to }) => !existsSync(to)).map(({ from, to }) => `${name(from)} → ${name(to)}`),
    [],
  )
})

test('every folder of src is a layer of the table', () => {
  assert.deepEqual(readdirSync(SRC).toSorted(), Object.keys(LAYERS).toSorted())
})

test('imports go one way', () => {
  const wrong = imports.filter(({ from, to }) => {
    const [own, other] = [layerOf(from), layerOf(to)]
    if (own === other || other === 'core') return false
    return !(LAYERS[own] ?? []).some((allowed) => name(to) === allowed || name(to).startsWith(`${allowed}/`))
  })
  assert.deepEqual(
    wrong.map(({ from, to }) => `${name(from)} → ${name(to)}`),
    [],
  )
})

/** Files on a circle of imports that are followed when a module is loaded. */
function circle(edges: readonly Import[]): string[] {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return null
    path.push(file)
    for (const to of next.get(file) ?? []) {
      const found = visit(to)
      if (found) return found
    }
    path.pop()
    done.add(file)
    return null
  }
  for (const file of next.keys()) {
    const found = visit(file)
    if (found) return found.map(name)
  }
  return []
}

test('no import goes in a circle', () => {
  assert.deepEqual(circle(imports.filter((one) => !one.typeOnly)), [])
})

/** What is loaded before anything is asked for: from `entry`, without what is imported lazily. */
function loadedBy(...entries: string[]): Set<string> {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    for (const one of imports) if (one.from === file && !one.typeOnly && !one.lazy) visit(one.to)
  }
  for (const entry of entries) visit(join(SRC, entry))
  return seen
}

test('vp --version and vp status load built-ins only', () => {
  const outside = [...loadedBy('main.ts', 'compose/cli.ts', 'surfaces/cli/commands/look.ts')].flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, typeOnly, lazy }) => !typeOnly && !lazy && !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map(({ specifier }) => `${name(file)} → ${specifier}`),
  )
  assert.deepEqual(outside, [])
})

// The self-test listens so that the sandbox has something to be kept from.
test('sockets are opened in five places, and by the door that gives two of them their module', () => {
  const users = files
    .filter((file) => importsOf(file).some(({ specifier, typeOnly }) => !typeOnly && /^node:(https?|http2|net|tls|dgram)$|\/node-http\.ts$/.test(specifier)))
    .map(name)
  assert.deepEqual(users.toSorted(), [
    'core/node-http.ts',
    'models/providers/http.ts',
    'models/scripted-server.ts',
    'operations/forges/http.ts',
    'operations/reach.ts',
    'sandbox/self-test.ts',
  ])
})

// The probe is a program of its own: it tries from inside a sandbox what must not work there.
test('clock, chance and environment come in as arguments', () => {
  const impure = files
    .filter((file) => !/^(compose|main\.ts|sandbox\/probe\.ts)/.test(name(file)))
    .filter((file) => /\bDate\.now\(|\bMath\.random\(|\bprocess\.env\b|\bnew Date\(\)/.test(readFileSync(file, 'utf8').replace(/^\s*(\/\/|\*).*$/gm, '')))
  assert.deepEqual(impure.map(name), [])
})
