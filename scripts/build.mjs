/**
 * Bundles src/main.ts into dist/. Chunks are written beside the old ones and the entry is renamed over
 * last, so a reader sees the old program or the new one, and two builders at once do no harm.
 */
import { build, transform } from 'esbuild'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * An ESM import of a built-in evaluates every export of it, lazy ones too: `node:crypto` and `node:util` cost 5 ms each
 * at start. Taken as CommonJS, only what is used is loaded.
 */
function withLazyBuiltins(code) {
  return code.replace(/(?<=^|[;}\n])import ?(\* ?as )?(\{[^}]*\}|[\w$]+) ?from ?"(node:[\w/]+)";?/g, (_, star, names, builtin) => {
    const taken = star || !names.startsWith('{') ? names : names.replace(/\bas\b/g, ':').replace(/\bdefault ?:[^,}]*/g, '')
    return `const ${taken}=process.getBuiltinModule("${builtin}");`
  })
}

/** A CommonJS dependency is evaluated when something of it is first used, not when the chunk that holds it is loaded. */
function withLazyCommonJs(code) {
  const imported = [...code.matchAll(/\bvar (import_[\w$]+) ?= ?(__toESM\(require_[\w$]+\(\)(?:, ?1)?\));/g)]
  return imported.reduce(
    (text, [whole, name, value]) => text.replaceAll(whole, `let ${name}_;const ${name}=()=>${name}_??=${value};`).replaceAll(`${name}.`, `(${name}()).`),
    code,
  )
}

/** CommonJS dependencies ask for built-ins with `require`, which a module does not have. */
function withRequire(code) {
  return /\b(__require|require)\b/.test(code) ? `const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);\n${code}` : code
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const startedAt = new Date()
const fresh = openBuild()
/** zod's messages in forty languages: vp speaks one, and reads 400 kB less at every start. */
const oneLanguage = {
  name: 'one-language',
  setup(plugin) {
    plugin.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: "export { default as en } from './en.js'" }))
  },
}

/** The words for models are files in the source and texts in the bundle: a start reads none of them. */
const promptsInside = {
  name: 'prompts-inside',
  setup(plugin) {
    plugin.onLoad({ filter: /agent\/prompts\.ts$/ }, ({ path }) => {
      const textOf = (_, name) => JSON.stringify(readFileSync(join(dirname(path), 'prompts', `${name}.md`), 'utf8').trimEnd())
      return { contents: readFileSync(path, 'utf8').replace(/promptText\('([\w-]+)'\)/g, textOf), loader: 'ts' }
    })
  },
}

const OPTIONS = {
  absWorkingDir: root,
  outdir: fresh,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  external: ['@vscode/ripgrep', 'web-tree-sitter'],
  plugins: [oneLanguage, promptsInside],
  write: false,
}

/** Entry name → its file in dist, as named by its content. */
const placeOf = (files, name) => files.map(({ path }) => relative(fresh, path)).find((path) => basename(path).startsWith(`${name}-`))

/** What is loaded when it is asked for, taken from the files that were built before. */
const later = (places) => ({
  name: 'later',
  setup(plugin) {
    plugin.onResolve({ filter: /^\./ }, ({ path, kind }) => {
      const place = kind === 'dynamic-import' ? places[basename(path, '.ts')] : undefined
      return place === undefined ? undefined : { path: `./${place}`, external: true }
    })
  },
})

/**
 * Three layers, each one load: the entry, what looks (one file, as it must be fast), and everything else in chunks.
 * What looks is in the third layer once more; its modules keep no state, so that two copies agree.
 */
async function outputs() {
  const rest = {
    rest: 'src/surfaces/cli/commands/rest.ts',
    do: 'src/surfaces/cli/commands/do.ts',
    edges: 'src/compose/edges.ts',
    help: 'src/surfaces/cli/help.ts',
    outlet: 'src/compose/outlet.ts',
  }
  const work = await build({ ...OPTIONS, entryPoints: rest, entryNames: 'chunks/[name]-[hash]', splitting: true })
  const names = Object.fromEntries(Object.keys(rest).map((name) => [name, basename(placeOf(work.outputFiles, name))]))
  const look = await build({
    ...OPTIONS,
    entryPoints: { cli: 'src/compose/cli.ts' },
    entryNames: 'chunks/[name]-[hash]',
    plugins: [oneLanguage, promptsInside, later(names)],
  })
  const entry = await build({
    ...OPTIONS,
    entryPoints: { vp: 'src/main.ts' },
    plugins: [oneLanguage, promptsInside, later({ cli: placeOf(look.outputFiles, 'cli') })],
  })
  const launcher = await build({ ...OPTIONS, entryPoints: { launcher: 'src/sandbox/launcher-entry.ts' } })
  const grammars = await build({ ...OPTIONS, entryPoints: { 'grammar-worker': 'src/operations/grammar-worker.ts' } })
  return [work, look, entry, launcher, grammars].flatMap(({ outputFiles }) => outputFiles)
}

/** For the launcher: whether one of the files that a build reads is younger than the entry. */
function sourcesScript() {
  const quoted = (path) => `'${path.replaceAll("'", "'\\''")}'`
  const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
  const names = [...files, join(root, 'package.json'), join(root, 'scripts', 'build.mjs')].map((path) => `  ${quoted(path)} \\\n`)
  const entry = quoted(join(dist, 'vp.mjs'))
  return `built_in=${quoted(root)}\nis_a_source_newer() {\n  for source in \\\n${names.join('')}  ; do [ "$source" -nt ${entry} ] && return 0; done\n  return 1\n}\n`
}

function openBuild() {
  try {
    mkdirSync(dist, { recursive: true })
    return mkdtempSync(join(dist, '.build-'))
  } catch (error) {
    process.stderr.write(`error  install.damaged: vp cannot be built in ${dist}: ${error.code}\n       next:  npm ci        (as whoever owns that folder)\n`)
    process.exit(1)
  }
}

try {
  const outputFiles = await outputs()
  const wanted = new Set(outputFiles.map(({ path }) => basename(path)))
  mkdirSync(join(fresh, 'chunks'))
  mkdirSync(join(dist, 'chunks'), { recursive: true })
  // Short names last, since the steps before know the long ones: a quarter less to read at every start.
  const short = (text) => transform(text, { format: 'esm', platform: 'node', target: OPTIONS.target, minify: true, legalComments: 'none' })
  await Promise.all(outputFiles.map(async ({ path, text }) => writeFileSync(path, (await short(withRequire(withLazyCommonJs(withLazyBuiltins(text))))).code)))
  for (const name of readdirSync(join(fresh, 'chunks'))) renameSync(join(fresh, 'chunks', name), join(dist, 'chunks', name))
  writeFileSync(join(fresh, 'sources.sh'), sourcesScript())
  // The entry's time is before the second in which the build began: a file saved meanwhile makes it stale again, also for a
  // shell that compares seconds.
  const before = Math.floor(startedAt.getTime() / 1000) - 0.001
  utimesSync(join(fresh, 'vp.mjs'), before, before)
  for (const name of ['sources.sh', 'launcher.mjs', 'grammar-worker.mjs']) renameSync(join(fresh, name), join(dist, name))
  renameSync(join(fresh, 'vp.mjs'), join(dist, 'vp.mjs'))
  const dayMs = 24 * 3600 * 1000
  for (const name of readdirSync(join(dist, 'chunks')))
    if (!wanted.has(name) && Date.now() - statSync(join(dist, 'chunks', name)).mtimeMs > dayMs) rmSync(join(dist, 'chunks', name), { force: true })
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
