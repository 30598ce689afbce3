import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { familyOf, leftOf, parsePs, parseTime, processesOf, useOf } from './ps.ts'

const times: [text: string, want: number | null][] = [
  ['0:00.00', 0],
  ['  0:01.50'.trim(), 1.5],
  ['12:34.56', 754.56],
  ['1234:00.01', 74_040.01],
  ['00:00:05', 5],
  ['01:02:03', 3723],
  ['2-03:04:05', 183_845],
  ['', null],
  ['-', null],
  ['1:2:3:4', null],
  ['0:00,50', null],
  ['99', null],
]
for (const [text, want] of times) test(`a time of ps: ${JSON.stringify(text)}`, () => assert.equal(parseTime(text), want))

/** In the columns that ps of macOS prints (minutes, seconds and hundredths, three places for the minutes). */
const MACOS = `    1     0     1  14336   3:41.52
  310     1   310   9216   0:00.97
 4001   310  4001   2048   0:00.01
 4002  4001  4001   1024   0:00.00
 4003  4001  4001  51200   0:12.40
 4004  4003  4004   4096   0:00.10
 4005     1  4004    512   0:00.00
 4006     1  4001    256   0:00.02
`
/** Recorded: procps 4.0.2. */
const PROCPS = `      1       0       0 12708 00:00:05
      2       0       0     0 00:00:00
    171       1     171  3300 1-00:00:07
`
test('rows of macOS and of procps; what is no row is none', () => {
  assert.equal(parsePs(MACOS).length, 8)
  assert.deepEqual(parsePs(MACOS)[2], { pid: 4001, parent: 310, group: 4001, residentBytes: 2048 * 1024, cpuS: 0.01 })
  assert.deepEqual(parsePs(PROCPS).at(-1), { pid: 171, parent: 1, group: 171, residentBytes: 3300 * 1024, cpuS: 86_407 })
  assert.deepEqual(parsePs('  PID  PPID  PGID    RSS      TIME\nps: no\n\n 1 2 3 4\n 1 2 3 4 5:00 sleep 5:00\n'), [])
})

test('the family: its group, and what descends from it in a group of its own', () => {
  const family = familyOf(parsePs(MACOS), 4001)
  assert.deepEqual(family.map(({ pid }) => pid).toSorted(), [4001, 4002, 4003, 4004, 4006])
  const use = useOf(family)
  assert.deepEqual({ ...use, residentBytes: use.residentBytes / 1024 }, { threads: 5, residentBytes: 58_624, cpuS: 12.4, writtenBytes: 0 })
  assert.deepEqual(useOf([]), { threads: 0, residentBytes: 0, cpuS: 0, writtenBytes: 0 })
})

test('parents in a circle end', () => {
  const rows = parsePs(' 7 8 7 1 0:00.00\n 8 7 8 1 0:00.00\n')
  assert.deepEqual(
    familyOf(rows, 7)
      .map(({ pid }) => pid)
      .toSorted(),
    [7, 8],
  )
})

test('who left the group is known by number and group; a number that was given anew is not killed', () => {
  const seen = new Map([
    [4004, 4004],
    [4005, 9999],
    [4003, 4001],
  ])
  assert.deepEqual(leftOf(seen, parsePs(MACOS), 4001), [4004])
})

test('this machine has a ps, and this process is in what it says', () => {
  const rows = parsePs(execFileSync('ps', ['-axo', 'pid=,ppid=,pgid=,rss=,time='], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }))
  assert.ok(rows.some(({ pid, residentBytes }) => pid === process.pid && residentBytes > 10_000_000))
  assert.ok(processesOf('ps', process.getuid?.() ?? -1) >= 1)
  assert.equal(processesOf('ps', 4_294_000_000), 0)
})
