/**
 * Bundles src/main.ts into dist/. Chunks are written beside the old ones and the entry is renamed over
 * last, so a reader sees the old program or the new one, and two builders at once do no harm.
 */
import { build } from 'esbuild'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const startedAt = new Date()
mkdirSync(dist, { recursive: true })
const fresh = mkdtempSync(join(dist, '.build-'))
try {
  const { outputs } = (
    await build({
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
      metafile: true,
      logLevel: 'warning',
      external: ['@vscode/ripgrep'],
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    })
  ).metafile
  const wanted = new Set(Object.keys(outputs).map((path) => path.split('/').at(-1)))
  mkdirSync(join(dist, 'chunks'), { recursive: true })
  for (const name of readdirSync(join(fresh, 'chunks'), { withFileTypes: true })) renameSync(join(fresh, 'chunks', name.name), join(dist, 'chunks', name.name))
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
