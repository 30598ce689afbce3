/**
 * Every screen byte by byte: at 80 and 40 columns, in UTF-8 and ASCII, in colour, plain and piped. The part `80` of a
 * fixture is the design's own text and is never written by a program; `VP_WRITE_SCREENS=1` writes the others.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cells } from '../src/surfaces/cli/cells.ts'
import { paint } from '../src/surfaces/cli/finish.ts'
import type { Look } from '../src/surfaces/cli/style.ts'
import { SCREENS } from './screens-views.ts'

const FOLDER = join(import.meta.dirname, 'screens')
const write = process.env['VP_WRITE_SCREENS'] === '1'

const terminal: Look = { width: 80, colour: false, ascii: false, plain: false, tty: true }
const VARIANTS: Readonly<Record<string, Look>> = {
  '80': terminal,
  '80 ascii': { ...terminal, ascii: true },
  '40': { ...terminal, width: 40 },
  '40 ascii': { ...terminal, width: 40, ascii: true },
  '80 colour': { ...terminal, colour: true },
  plain: { ...terminal, plain: true },
  piped: { ...terminal, tty: false },
}

function draw(name: string, look: Look): string {
  const screen = SCREENS[name]?.(look)
  assert.ok(screen, name)
  const text = paint(screen, { out: look, err: look })
  return text.stdout + text.stderr
}

function parts(name: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of readFileSync(join(FOLDER, `${name}.txt`), 'utf8')
    .split(/^== /m)
    .slice(1)) {
    const end = part.indexOf('\n')
    found.set(part.slice(0, end), part.slice(end + 1))
  }
  return found
}

/** Escapes as a reader of the fixture sees them. */
const visible = (text: string) => text.replaceAll('\x1b', '␛')

for (const name of Object.keys(SCREENS)) {
  const fixture = parts(name)
  if (write) {
    for (const [variant, look] of Object.entries(VARIANTS)) {
      if (variant !== '80') fixture.set(variant, visible(draw(name, look)))
    }
    writeFileSync(join(FOLDER, `${name}.txt`), [...fixture].map(([variant, text]) => `== ${variant}\n${text}`).join(''))
  }
  for (const [variant, look] of Object.entries(VARIANTS)) {
    test(`${name}, ${variant}`, () => assert.equal(visible(draw(name, look)), fixture.get(variant)))
  }
}

/** What is strong on the widest screen and is there to be typed. */
function commandsOf(name: string, ascii: boolean): string[] {
  const wide = draw(name, { ...terminal, width: 100, ascii, colour: true })
  // oxlint-disable-next-line no-control-regex
  return [...wide.matchAll(/\x1b\[1m(.*?)\x1b\[0m/g)].map((match) => match[1] ?? '').filter((text) => /^(vp|git|export|ollama) /.test(text))
}

test('a command to copy is whole on one line at every width', () => {
  let seen = 0
  for (const name of Object.keys(SCREENS))
    for (const width of [20, 40, 48, 60, 72, 80])
      for (const ascii of [false, true]) {
        const lines = draw(name, { ...terminal, width, ascii }).split('\n')
        for (const command of commandsOf(name, ascii)) {
          seen++
          assert.ok(
            lines.some((line) => line.includes(command)),
            `${name} at ${width}: ${command} in\n${lines.join('\n')}`,
          )
        }
      }
  assert.ok(seen > 300, `${seen} commands`)
})

// A command to copy is never cut; only words that are longer than the line by themselves may stand out.
test('no line is over the width on a terminal, none is cut when piped', () => {
  for (const name of Object.keys(SCREENS)) {
    for (const width of [40, 48, 60, 72, 80, 100]) {
      for (const ascii of [false, true]) {
        const commands = commandsOf(name, ascii)
        for (const line of draw(name, { ...terminal, width, ascii }).split('\n')) {
          const longest = Math.max(0, ...line.split(' ').map(cells))
          const isCommand = commands.some((command) => line === `  ${command}`)
          assert.ok(cells(line) <= width || longest + 14 > width || isCommand, `${name} at ${width}: ${line}`)
        }
      }
    }
  }
})

test('no escape byte without colour, and colour only adds escapes', () => {
  for (const name of Object.keys(SCREENS)) {
    const plain = draw(name, terminal)
    assert.doesNotMatch(plain, /\x1b/, name)
    // oxlint-disable-next-line no-control-regex
    assert.equal(draw(name, { ...terminal, colour: true }).replace(/\x1b\[[\d;]*m/g, ''), plain, name)
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(draw(name, { ...terminal, tty: false }), /[\x00-\x09\x0b-\x1f]/, name)
  }
})

test('plain output holds every number of the normal one, and no sign', () => {
  for (const name of Object.keys(SCREENS)) {
    const normal = draw(name, terminal)
    const plain = draw(name, { ...terminal, plain: true })
    assert.doesNotMatch(plain, /[✓✗▸↻◌├┤●█░─]/u, name)
    for (const number of normal.replace(/^.*\$0 +\$1.*$/m, '').match(/\d+(?:[.,]\d+)*/g) ?? [])
      assert.ok(plain.includes(number), `${name}: ${number} is missing in plain output`)
  }
})

test('every fixture has its screen', () => {
  const named = readdirSync(FOLDER).map((file) => file.replace(/\.txt$/, ''))
  assert.deepEqual(
    named.filter((name) => !Object.hasOwn(SCREENS, name) && name !== 'live'),
    [],
  )
})
