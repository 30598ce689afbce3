/**
 * Makes docs/recording.svg (`npm run recording`): the way of the demo's sample as a person types it, played by the real
 * program in a real terminal, against the scripted model of the demo. Only waiting is cut, and the corner says so.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demoModel } from '../../examples/calculator-demo/scripted-model.ts'
import { startScriptedServer, type ScriptedAnswer, type WireRequest } from '../../src/models/scripted-server.ts'
import { printFilm } from './svg.ts'
import { openTerminal, type Frame, type RunOptions, type Screen } from './terminal.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const SAMPLE = join(ROOT, 'examples', 'calculator-api')
const KEY_MS = 45
const STANDS_MS = 850
const LAST_MS = 1200
/** Longest that nothing new may be seen: more is waiting, and cut. */
const WAIT_MS = 110

/** Tells the model's own tests away, as models do: the task that fixes the code by deleting what is red. */
function cheat(request: WireRequest): ScriptedAnswer {
  const turn = request.messages.filter((message) => message.role === 'assistant').length
  const call = (name: string, args: Record<string, string>): ScriptedAnswer => ({ calls: [{ name, arguments: args }] })
  if (turn === 0) return call('read', { path: 'test/operations.test.js' })
  if (turn === 1) return call('write', { path: 'test/operations.test.js', content: CHEATED })
  if (turn === 2) return call('test', {})
  return call('submit', { title: 'fix: all tests pass', summary: 'Everything is green.' })
}
const CHEATED = "import assert from 'node:assert/strict'\nimport { test } from 'node:test'\n\ntest('adds', () => assert.equal(1 + 1, 2))\n"

interface Place {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

function makePlace(root: string, name: string, baseUrl: string): Place {
  const cwd = join(root, name, 'calculator-api')
  const env = {
    PATH: `${join(ROOT, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: join(root, 'home'),
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    VP_STATE_DIR: join(root, name, 'state'),
    VP_MODEL: 'openai_compatible:scripted',
    VP_MODEL_BASE_URL: baseUrl,
  }
  mkdirSync(env.HOME, { recursive: true })
  cpSync(SAMPLE, cwd, { recursive: true })
  const git = (...args: string[]) => execFileSync('git', args, { cwd, env })
  git('init', '-q', '-b', 'main')
  git('config', 'user.name', 'A. Person')
  git('config', 'user.email', 'person@example.org')
  git('add', '-A')
  git('commit', '-qm', 'feat: a calculator over HTTP')
  return { cwd, env }
}

/** Off the screen; beside this process, whose servers have to answer. */
async function quietly({ cwd, env }: Place, exit: number, ...args: string[]): Promise<void> {
  const [code] = (await once(spawn('vp', args, { cwd, env, stdio: 'ignore' }), 'exit')) as [number | null]
  if (code !== exit) throw new Error(`vp ${args.join(' ')}: exit ${code}, not ${exit}`)
}

const directory = mkdtempSync(join(tmpdir(), 'vp-recording-'))
const [honest, cheating] = await Promise.all([startScriptedServer((request) => ({ ...demoModel(request), delayMs: 350 })), startScriptedServer(cheat)])
try {
  const [place, other] = [makePlace(directory, 'honest', honest.baseUrl), makePlace(directory, 'cheat', cheating.baseUrl)]
  const terminal = openTerminal()
  const film: Frame[] = []
  let clock = 0
  const show = (screen: Screen, forMs: number) => {
    film.push({ atMs: clock, screen })
    clock += forMs
  }
  const play = async (line: string, at: Place, options: Partial<RunOptions> = {}) => {
    await terminal.type('\x1b[1m$\x1b[0m ')
    for (const key of line) show(await terminal.type(key), KEY_MS)
    await terminal.type('\r\n')
    const frames = await terminal.run(line.split(' '), { ...at, ...options })
    for (const [index, frame] of frames.entries()) {
      const waited = (frames[index + 1]?.atMs ?? frame.atMs) - frame.atMs
      const factor = waited > 2 * WAIT_MS ? Math.round(waited / WAIT_MS) : 1
      show(factor > 1 ? marked(frame.screen, `×${factor}`) : frame.screen, Math.min(waited, WAIT_MS))
    }
    show(terminal.screen(), STANDS_MS)
    await terminal.type('\r\n')
  }
  await quietly(place, 0, 'new', '--name', 'calculator-api')
  await quietly(place, 0, 'git', 'commit', '-m', 'chore: vp', '.vp')
  await quietly(other, 3, 'do', 'make all tests pass')
  await play('vp plan --from-prd PRD.md', place)
  await play('vp estimate', place)
  await play('vp simulate --rehearsal 0.01', place)
  await play('vp approve --budget-tokens 90000', place, { answers: [{ question: /\[n\] ?$/m, keys: 'y\n' }] })
  await play('vp start', place)
  await quietly(place, 0, 'complete')
  await terminal.type('# another run, whose model deleted the tests that were red\r\n')
  await play('vp validate', other)
  await play('vp undo', place, { answers: [{ question: /\[n\] ?$/m, keys: 'y\n' }] })
  await play('vp verify', place)
  clock += LAST_MS
  const kept = film.filter((frame, index) => (film[index + 1]?.atMs ?? clock) > frame.atMs)
  const svg = printFilm({
    frames: kept,
    lengthMs: clock,
    title: 'vp in twenty seconds',
    description:
      'vp plans six tasks from PRD.md, estimates them, rehearses and shows a narrower band, a person approves, vp start runs two tasks at once, one fails its gate and is repaired. A second run whose model deletes a test is refused by vp validate with exit 3. vp undo takes the first run back after a question, and vp verify says unaltered and complete.',
  })
  writeFileSync(join(ROOT, 'docs', 'recording.svg'), svg)
  process.stdout.write(`docs/recording.svg: ${(clock / 1000).toFixed(1)} s, ${kept.length} frames, ${Math.round(svg.length / 1000)} kB\n`)
} finally {
  await Promise.all([honest.close(), cheating.close()])
  rmSync(directory, { recursive: true, force: true })
}

/** How much faster than life, in the corner. */
function marked(screen: Screen, mark: string): Screen {
  const last = screen.length - 1
  const width = screen[last]?.reduce((sum, piece) => sum + piece.text.length, 0) ?? 0
  if (width > 70) return screen
  const corner = { text: `${' '.repeat(78 - width - mark.length)}${mark}`, color: null, isBold: false }
  return screen.map((row, y) => (y === last ? [...row, corner] : row))
}
