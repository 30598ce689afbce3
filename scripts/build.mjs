/**
 * Bundles src/main.ts into dist/. Chunks are written beside the old ones and the entry is renamed over
 * last, so a reader sees the old program or the new one, and two builders at once do no harm.
 */
import { build } from 'esbuild'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
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

/** CommonJS dependencies ask for built-ins with `require`, which a module does not have. */
function withRequire(code) {
  return /\b(__require|require)\b/.test(code) ? `const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);\n${code}` : code
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const startedAt = new Date()
mkdirSync(dist, { recursive: true })
const fresh = mkdtempSync(join(dist, '.build-'))
try {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { vp: 'src/main.ts', launcher: 'src/sandbox/launcher-entry.ts' },
    outdir: fresh,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    external: ['@vscode/ripgrep'],
    write: false,
  })
  const wanted = new Set(outputFiles.map(({ path }) => basename(path)))
  mkdirSync(join(fresh, 'chunks'))
  mkdirSync(join(dist, 'chunks'), { recursive: true })
  for (const { path, text } of outputFiles) writeFileSync(path, withRequire(withLazyBuiltins(text)))
  for (const name of readdirSync(join(fresh, 'chunks'))) renameSync(join(fresh, 'chunks', name), join(dist, 'chunks', name))
  // The entry's time is that of the start of the build: a file saved meanwhile makes it stale again.
  utimesSync(join(fresh, 'vp.mjs'), startedAt, startedAt)
  renameSync(join(fresh, 'launcher.mjs'), join(dist, 'launcher.mjs'))
  renameSync(join(fresh, 'vp.mjs'), join(dist, 'vp.mjs'))
  const dayMs = 24 * 3600 * 1000
  for (const name of readdirSync(join(dist, 'chunks')))
    if (!wanted.has(name) && Date.now() - statSync(join(dist, 'chunks', name)).mtimeMs > dayMs) rmSync(join(dist, 'chunks', name), { force: true })
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
