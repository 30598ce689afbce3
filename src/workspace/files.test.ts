import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  readlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isVpError } from '../core/errors.ts'
import { sha256 } from '../core/json.ts'
import { DIRECTORY, LINK, openWorkspace, type FileChange } from './files.ts'
import { LINUX } from '../../test/fixtures/open-without-links.ts'
import { chooseOpener, openat2Opener, passesSelfTest, walkOpener, type Opener } from './open-beneath.ts'
import { linklessOpener } from './open-without-links.ts'

const base = mkdtempSync(join(tmpdir(), 'vp-files-'))
after(() => rmSync(base, { recursive: true, force: true }))
const isDeep = process.env['VP_TEST_DEEP'] === '1'

/** The last is that of macOS, over an open of Linux that refuses symlinks in any component as O_NOFOLLOW_ANY does there. */
const openers = [openat2Opener(), walkOpener, linklessOpener(LINUX)].filter((opener): opener is Opener => opener !== null)

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isVpError(error)) return error.code
    throw error
  }
  return 'ok'
}

function fresh(opener: Opener) {
  const place = mkdtempSync(join(base, 't-'))
  const root = join(place, 'root')
  mkdirSync(join(root, 'src'), { recursive: true })
  writeFileSync(join(place, 'canary'), 'secret')
  writeFileSync(join(root, 'src/a.ts'), 'const a = 1\r\n')
  writeFileSync(join(root, 'run.sh'), '#!/bin/sh\n')
  chmodSync(join(root, 'run.sh'), 0o755)
  return { place, root, ws: openWorkspace(root, { opener, deny: (path) => (path === '.env' ? 'secrets' : null) }) }
}

const noTemps = (root: string) => assert.equal(execFileSync('find', [root, '-name', '.vp-new*'], { encoding: 'utf8' }), '')

test('the carriers pass the self-test here, and openat2 is chosen', () => {
  for (const opener of openers) assert.equal(passesSelfTest(opener), true, opener.name)
  assert.equal(chooseOpener('linux')?.name, 'openat2')
})

test('where open(2) takes no notice of O_NOFOLLOW_ANY the carrier of macOS is not believed', () => {
  const follows = linklessOpener({ ...LINUX, open: (path, flags, mode) => openSync(path, flags | 0x20000000, mode) })
  assert.equal(follows && passesSelfTest(follows), false)
  assert.equal(chooseOpener('darwin'), null, 'no library of macOS here')
})

test('a carrier that follows symlinks or throws does not pass', () => {
  const follows: Opener = {
    ...walkOpener,
    open: (fd, names, flags) =>
      walkOpener.open(
        fd,
        names.filter((name) => name !== 'self'),
        flags,
      ),
  }
  assert.equal(passesSelfTest(follows), true, 'the stand-in still refuses what the walk refuses')
  assert.equal(passesSelfTest({ ...walkOpener, open: () => ({ fd: -1 }) }), false)
  assert.equal(
    passesSelfTest({
      ...walkOpener,
      open: () => {
        throw new Error('no')
      },
    }),
    false,
  )
})

test('without node:ffi the walk is chosen', () => {
  const script = `import { chooseOpener } from ${JSON.stringify(import.meta.resolve('./open-beneath.ts'))}; process.stdout.write(chooseOpener('linux').name)`
  const run = spawnSync(process.execPath, ['--no-experimental-ffi', '--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  assert.equal(run.stdout, 'walk', run.stderr)
})

const hostile: [title: string, path: unknown, code: string][] = [
  ['a plain file', 'src/a.ts', 'ok'],
  ['a leading ./ is the same file', './src/a.ts', 'ok'],
  ['not a string', 7, 'path.invalid'],
  ['empty', '', 'path.invalid'],
  ['a NUL', 'src/a.ts\0.png', 'path.invalid'],
  ['a lone surrogate', 'src/\ud800', 'path.invalid'],
  ['absolute', '/etc/passwd', 'path.invalid'],
  ['a file URL', 'file:///etc/passwd', 'path.invalid'],
  ['a drive', 'C:\\x', 'path.invalid'],
  ['up', '../canary', 'path.invalid'],
  ['up in the middle', 'src/../../canary', 'path.invalid'],
  ['a dot in the middle', 'src/./a.ts', 'path.invalid'],
  ['a doubled slash', 'src//a.ts', 'path.invalid'],
  ['a trailing slash', 'src/', 'path.invalid'],
  ['a name of 256 bytes', 'x'.repeat(256), 'path.invalid'],
  ['a name of 255 bytes that is not there', 'x'.repeat(255), 'path.not_found'],
  ['4096 bytes', 'x/'.repeat(2048) + 'x', 'path.invalid'],
  ['percent signs are characters', '%2e%2e/canary', 'path.not_found'],
  ['a backslash is a character', '..\\canary', 'path.not_found'],
  ['a tilde is a character', '~/x', 'path.not_found'],
  ['a directory', 'src', 'path.not_regular'],
  ['a missing file', 'nope', 'path.not_found'],
  ['a file as a directory', 'run.sh/x', 'path.not_found'],
  ['a symlink to the outside', 'out', 'path.denied'],
  ['a symlink to the inside', 'in', 'path.denied'],
  ['through a symlinked folder', 'up/canary', 'path.denied'],
  ['a symlink to /proc/self/root', 'magic/etc/passwd', 'path.denied'],
  ['a dangling symlink', 'dangling', 'path.denied'],
  ['a hard link to the outside', 'hard', 'path.denied'],
  ['a fifo does not hang', 'fifo', 'path.not_regular'],
  ['a socket', 'sock', 'path.not_regular'],
  ['a name the policy denies', '.env', 'path.denied'],
]

for (const opener of openers)
  describe(opener.name, () => {
    test('hostile and odd paths', async () => {
      const { place, root, ws } = fresh(opener)
      writeFileSync(join(root, '.env'), 'K=1')
      symlinkSync(join(place, 'canary'), join(root, 'out'))
      symlinkSync('src/a.ts', join(root, 'in'))
      symlinkSync('..', join(root, 'up'))
      symlinkSync('/proc/self/root', join(root, 'magic'))
      symlinkSync('nowhere', join(root, 'dangling'))
      linkSync(join(place, 'canary'), join(root, 'hard'))
      execFileSync('mkfifo', [join(root, 'fifo')])
      const server = createServer().listen(join(root, 'sock'))
      await new Promise((resolve) => server.once('listening', resolve))
      for (const [title, path, code] of hostile)
        assert.equal(
          codeOf(() => ws.read(path as string)),
          code,
          title,
        )
      for (const path of ['out', 'up/x', 'magic/tmp/x', 'dangling', 'fifo', '.env', '../x', 'run.sh/x'])
        assert.notEqual(
          codeOf(() => ws.writeAll([{ path, bytes: Buffer.from('x') }])),
          'ok',
          path,
        )
      assert.equal(readFileSync(join(place, 'canary'), 'utf8'), 'secret')
      assert.equal(ws.exists('dangling'), true)
      assert.equal(ws.exists('src/nope/deeper'), false)
      assert.equal(ws.exists('run.sh/x'), false)
      assert.equal(ws.stat('out').kind, 'symlink')
      noTemps(root)
      server.close()
      ws.close()
    })

    test('reads bytes and mode, and stops at the cap', () => {
      const { ws } = fresh(opener)
      assert.equal(ws.read('src/a.ts').bytes.toString(), 'const a = 1\r\n')
      assert.equal(ws.read('run.sh').mode, 0o755)
      assert.equal(
        codeOf(() => ws.read('src/a.ts', { maxBytes: 12 })),
        'path.too_large',
      )
      assert.equal(ws.read('src/a.ts', { maxBytes: 13 }).bytes.length, 13)
      ws.close()
    })

    test('lists by code unit, bounded, without what is denied and without following', () => {
      const { root, ws } = fresh(opener)
      for (const name of ['b', 'a-b', 'Z', 'ä', '.env']) writeFileSync(join(root, name), '')
      symlinkSync('..', join(root, 'up'))
      const paths = ws.list('', { depth: 3, maxEntries: 100 }).map(({ path }) => path)
      assert.deepEqual(paths, ['Z', 'a-b', 'b', 'run.sh', 'src', 'src/a.ts', 'up', 'ä'])
      assert.equal(ws.list('.', { depth: 3, maxEntries: 2 }).length, 2)
      assert.deepEqual(ws.list('src', { maxEntries: 9 }), [{ path: 'src/a.ts', kind: 'file', size: 13, changedMs: statSync(join(root, 'src/a.ts')).ctimeMs }])
      assert.equal(
        codeOf(() => ws.list('up', { maxEntries: 9 })),
        'path.denied',
      )
      ws.close()
    })

    test('writes, creates with parents, deletes; modes are kept and reported', () => {
      const { root, ws } = fresh(opener)
      const written = ws.writeAll([
        { path: 'src/a.ts', bytes: Buffer.from('b'), expectSha: sha256('const a = 1\r\n') },
        { path: 'run.sh', bytes: Buffer.from('#!\n') },
        { path: 'new/deep/x', bytes: Buffer.from('x'), mode: 0o755, expectSha: null },
      ])
      assert.deepEqual(written[0]?.before, { sha: sha256('const a = 1\r\n'), mode: 0o644 })
      assert.deepEqual(written[2], { path: 'new/deep/x', before: null, after: { sha: sha256('x'), mode: 0o755 } })
      assert.equal(statSync(join(root, 'run.sh')).mode & 0o777, 0o755)
      assert.equal(statSync(join(root, 'new/deep/x')).mode & 0o777, 0o755)
      ws.writeAll([{ path: 'run.sh', bytes: null }])
      assert.equal(existsSync(join(root, 'run.sh')), false)
      noTemps(root)
      ws.close()
    })

    test('what goes makes room for what comes, and a failure at the end takes all of it back', () => {
      const { root, ws } = fresh(opener)
      symlinkSync('../canary', join(root, 'link'))
      const picture = () => ws.list('', { depth: 9, maxEntries: 99 }).map(({ path, kind }) => `${path} ${kind}`)
      const swaps: FileChange[] = [
        { path: 'run.sh', bytes: null },
        { path: 'run.sh/deep/in', bytes: Buffer.from('in') },
        { path: 'src', bytes: Buffer.from('src'), replaces: DIRECTORY, mode: 0o755 },
        { path: 'src/a.ts', bytes: null },
        { path: 'link', bytes: Buffer.alloc(0), mode: DIRECTORY | 0o700, replaces: LINK, expectSha: sha256('../canary') },
        { path: 'link/other', bytes: Buffer.from('../../canary'), mode: LINK },
      ]
      const before = picture()
      for (const bad of [
        { path: 'nope', bytes: null },
        { path: 'link/x', bytes: Buffer.from('x'), expectSha: sha256('other') },
        { path: 'src/b.ts/c', bytes: Buffer.from('x') },
      ]) {
        assert.notEqual(
          codeOf(() => ws.writeAll([...swaps, bad])),
          'ok',
          bad.path,
        )
        assert.deepEqual(picture(), before, bad.path)
        assert.deepEqual([readFileSync(join(root, 'src/a.ts'), 'utf8'), readlinkSync(join(root, 'link'))], ['const a = 1\r\n', '../canary'], bad.path)
        assert.equal(statSync(join(root, 'run.sh')).mode & 0o777, 0o755)
        noTemps(root)
      }
      const written = ws.writeAll(swaps)
      assert.deepEqual(picture(), ['link dir', 'link/other symlink', 'run.sh dir', 'run.sh/deep dir', 'run.sh/deep/in file', 'src file'])
      assert.equal(statSync(join(root, 'link')).mode & 0o777, 0o700)
      assert.deepEqual(written[4], { path: 'link', before: { sha: sha256('../canary'), mode: LINK | 0o777 }, after: { sha: '', mode: DIRECTORY | 0o700 } })
      assert.deepEqual(ws.look('link/other'), { bytes: Buffer.from('../../canary'), mode: LINK | 0o777, id: ws.look('link/other')?.id })
      assert.equal(ws.look('src/a.ts'), null)
      noTemps(root)
      ws.close()
    })

    test('one stale, missing or impossible change and nothing at all happens', () => {
      const { root, ws } = fresh(opener)
      mkdirSync(join(root, 'dir'))
      const good = { path: 'src/a.ts', bytes: Buffer.from('changed') }
      const rows: [string, { path: string; bytes: Buffer | null; expectSha?: string | null }, string][] = [
        ['stale', { path: 'run.sh', bytes: Buffer.from('x'), expectSha: sha256('other') }, 'patch.stale'],
        ['there although expected absent', { path: 'run.sh', bytes: Buffer.from('x'), expectSha: null }, 'patch.stale'],
        ['absent although expected', { path: 'new', bytes: Buffer.from('x'), expectSha: sha256('x') }, 'patch.stale'],
        ['deleting what is not there', { path: 'nope', bytes: null }, 'path.not_found'],
        ['a directory as target', { path: 'dir', bytes: Buffer.from('x') }, 'path.not_regular'],
        ['a file as parent', { path: 'run.sh/x', bytes: Buffer.from('x') }, 'path.not_found'],
        ['the same path twice', { path: './src/a.ts', bytes: Buffer.from('y') }, 'path.invalid'],
        ['up', { path: '../x', bytes: Buffer.from('x') }, 'path.invalid'],
      ]
      for (const [title, bad, code] of rows) {
        assert.equal(
          codeOf(() => ws.writeAll([good, { path: 'made/here', bytes: Buffer.from('1') }, bad])),
          code,
          title,
        )
        assert.equal(readFileSync(join(root, 'src/a.ts'), 'utf8'), 'const a = 1\r\n', title)
        assert.equal(existsSync(join(root, 'made')), false, title)
        noTemps(root)
      }
      ws.close()
    })

    test('a hard link is broken, not written through', () => {
      const { place, root, ws } = fresh(opener)
      linkSync(join(place, 'canary'), join(root, 'hard'))
      ws.writeAll([{ path: 'hard', bytes: Buffer.from('mine') }])
      assert.equal(readFileSync(join(place, 'canary'), 'utf8'), 'secret')
      assert.equal(ws.read('hard').bytes.toString(), 'mine')
      ws.close()
    })

    test('a replaced root is seen', () => {
      const { place, root, ws } = fresh(opener)
      renameSync(root, join(place, 'old'))
      mkdirSync(root)
      assert.equal(
        codeOf(() => ws.read('src/a.ts')),
        'workspace.moved',
      )
      ws.close()
    })

    test('a folder swapped with a symlink to the outside never leaks, read or written', async () => {
      const { place, root, ws } = fresh(opener)
      mkdirSync(join(place, 'outside'))
      writeFileSync(join(place, 'outside/f'), 'secret')
      mkdirSync(join(root, 'real'))
      writeFileSync(join(root, 'real/f'), 'inside')
      symlinkSync(join(place, 'outside'), join(root, 'evil'))
      // A write in the moment without the folder makes one of its own: then the swapper puts things back.
      const mend = `if(fs.existsSync('t')){fs.rmSync('real',{recursive:true,force:true});fs.renameSync('t','real')}if(!fs.lstatSync('evil',{throwIfNoEntry:false}))fs.symlinkSync(${JSON.stringify(join(place, 'outside'))},'evil')`
      const swap = `fs.renameSync('real','t');fs.renameSync('evil','real');fs.renameSync('real','evil');fs.renameSync('t','real')`
      const script = `const fs=require('fs');process.chdir(${JSON.stringify(root)});process.stdout.write('go');for(;;){try{${swap}}catch{try{${mend}}catch{}}}`
      const swapper = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
      try {
        await new Promise((resolve) => swapper.stdout.once('data', resolve))
        const start = performance.now()
        const lasts = () => performance.now() - start < (isDeep ? 5000 : 200)
        const seen = { inside: 0, refused: 0 }
        const isThin = () => (seen.inside === 0 || seen.refused === 0) && performance.now() - start < 5000
        for (let round = 0; lasts() || isThin(); round++) {
          let text: string | null = null
          const code = codeOf(() => (text = ws.read('real/f').bytes.toString()))
          if (code === 'ok') seen.inside++
          else seen.refused++
          if (text !== null) assert.match(text, /^(inside|w)$/)
          if (round % 16 === 0) codeOf(() => ws.writeAll([{ path: 'real/f', bytes: Buffer.from('w') }]))
        }
        assert.ok(seen.inside > 0 && seen.refused > 0, JSON.stringify(seen))
      } finally {
        swapper.kill('SIGKILL')
        await new Promise((resolve) => swapper.once('close', resolve))
      }
      assert.deepEqual(readdirSync(join(place, 'outside')), ['f'])
      assert.equal(readFileSync(join(place, 'outside/f'), 'utf8'), 'secret')
      ws.close()
    })
  })

test('a disk that fills up during a write: store.full, nothing changed, nothing left', (t) => {
  const place = mkdtempSync(join(base, 'full-'))
  const script = `
    import { openWorkspace } from ${JSON.stringify(import.meta.resolve('./files.ts'))}
    import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
    writeFileSync('${place}/a', 'old')
    try { openWorkspace('${place}').writeAll([{path: 'a', bytes: Buffer.from('new')}, {path: 'd/b', bytes: Buffer.alloc(2 << 20)}]) } catch (error) { console.log(error.code) }
    console.log(readFileSync('${place}/a', 'utf8'), readdirSync('${place}').join())`
  const mount = `mount -t tmpfs -o size=1m tmpfs '${place}' && exec "$0" --input-type=module -e "$1"`
  const run = spawnSync('unshare', ['-U', '-r', '-m', 'sh', '-c', mount, process.execPath, script], {
    encoding: 'utf8',
  })
  if (run.status !== 0 && /unshare|mount/.test(run.stderr)) return t.skip('no user namespaces for a small tmpfs')
  assert.equal(run.stdout, 'store.full\nold a\n', run.stderr)
})

test('what is mounted inside the workspace is neither read nor written; the workspace may be a mount itself', (t) => {
  const place = mkdtempSync(join(base, 'mount-'))
  for (const name of ['root', 'outside']) mkdirSync(join(place, name))
  writeFileSync(join(place, 'outside/c'), 'secret')
  const url = (path: string) => JSON.stringify(import.meta.resolve(path))
  const script = `
    import { openWorkspace } from ${url('./files.ts')}
    import { openat2Opener, walkOpener } from ${url('./open-beneath.ts')}
    import { linklessOpener } from ${url('./open-without-links.ts')}
    import { LINUX } from ${url('../../test/fixtures/open-without-links.ts')}
    const said = (body) => { try { return String(body()) } catch (error) { return error.code + ' ' + error.details?.rule } }
    for (const opener of [openat2Opener(), walkOpener, linklessOpener(LINUX)]) {
      const ws = openWorkspace('root', { opener })
      const paths = ['src/a', 'mnt/c', 'file', 'p/version', 'p/self/environ', ...(opener.name === 'linkless' ? [] : ['same/a'])]
      const read = paths.map((path) => said(() => ws.read(path).bytes))
      const look = paths.map((path) => said(() => ws.look(path).bytes))
      const write = ['src/b', 'mnt/c', 'mnt/new', 'mnt/d/new', 'file', 'mnt'].map((path) => said(() => ws.writeAll([{ path, bytes: Buffer.from('x') }]).length))
      const change = [{ path: 'file', bytes: null }, { path: 'mnt', bytes: null, replaces: 16384 }].map((one) => said(() => ws.writeAll([one])))
      const list = ws.list('', { depth: 9, maxEntries: 99 }).map(({ path }) => path).filter((path) => /^(mnt|p)\\//.test(path))
      console.log(JSON.stringify([opener.name, read, look, write, change, list]))
    }`
  const mounts = [
    'mount -t tmpfs tmpfs root && mkdir root/src root/mnt root/p root/same && echo -n a >root/src/a && touch root/file',
    'mount --bind outside root/mnt && mount --bind outside/c root/file && mount --rbind /proc root/p && mount --bind root/src root/same',
    'exec "$0" --input-type=module -e "$1"',
  ].join(' && ')
  const run = spawnSync('unshare', [...(process.getuid?.() === 0 ? [] : ['-U', '-r']), '-m', 'sh', '-c', mounts, process.execPath, script], {
    encoding: 'utf8',
    cwd: place,
  })
  if (run.status !== 0 && /unshare|mount/.test(run.stderr)) return t.skip('no namespaces to mount something in')
  const no = 'path.denied no-mounts'
  const answers = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown[])
  assert.deepEqual(
    answers.map(([name]) => name),
    ['openat2', 'walk', 'linkless'],
    run.stderr,
  )
  for (const [name, read, look, write, change, list] of answers) {
    const refused = Array.from({ length: name === 'linkless' ? 4 : 5 }, () => no)
    // What leads on by a link is refused as that.
    const [first, ...rest] = read as string[]
    assert.deepEqual([first, ...rest.map((one) => one.replace('no-symlinks', 'no-mounts'))], ['a', ...refused], String(name))
    assert.equal((look as string[])[1], no, String(name))
    assert.equal((look as string[])[2], no, String(name))
    assert.deepEqual(write, ['1', no, no, no, no, no], String(name))
    assert.deepEqual([change, list], [[no, no], []], String(name))
  }
  assert.deepEqual(readdirSync(join(place, 'outside')), ['c'])
  assert.equal(readFileSync(join(place, 'outside/c'), 'utf8'), 'secret')
})
