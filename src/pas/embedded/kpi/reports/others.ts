/**
 * `go test -json`, cargo's own text, and runners that say nothing but their exit status.
 */
import { cleanMessage, testCase, type TestCase, type TestReport } from './report.ts'

interface GoEvent {
  readonly Action?: string
  readonly Package?: string
  readonly Test?: string
  readonly Output?: string
}

/** One JSON event a line. Source: `go doc test2json`. */
export function parseGo(text: string, root: string): TestReport {
  const outputs = new Map<string, string>()
  const tests = new Map<string, TestCase>()
  const broken: string[] = []
  let events = 0
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue
    let event: GoEvent
    try {
      event = JSON.parse(line) as GoEvent
    } catch {
      continue // build output between the events
    }
    events++
    const key = `${event.Package ?? ''} > ${event.Test ?? ''}`
    if (event.Action === 'output') outputs.set(key, ((outputs.get(key) ?? '') + (event.Output ?? '')).slice(0, 4000))
    const status = event.Action === 'pass' ? 'passed' : event.Action === 'fail' ? 'failed' : event.Action === 'skip' ? 'skipped' : null
    if (status === null) continue
    if (event.Test === undefined) {
      if (status === 'failed' && ![...tests.keys()].some((id) => id.startsWith(`${event.Package} > `))) broken.push(event.Package ?? '')
      continue
    }
    const said = outputs.get(key) ?? ''
    const place = /^\s+([\w./-]+\.go):(\d+): /m.exec(said)
    tests.set(
      key,
      testCase([event.Package ?? '', event.Test], {
        file: place?.[1] ?? null,
        line: place?.[2] ? Number(place[2]) : null,
        status,
        message: status === 'failed' ? cleanMessage(said.replace(/^(=== |--- ).*$/gm, ''), root) : null,
      }),
    )
  }
  for (const name of broken)
    tests.set(
      name,
      testCase([name], {
        file: null,
        line: null,
        status: 'failed',
        message: cleanMessage(outputs.get(`${name} > `) ?? 'did not build', root),
        whole_file: true,
      }),
    )
  return { tests: [...tests.values()], crashed: events === 0 ? 'the runner wrote no report' : null }
}

/** `test a::b ... ok|FAILED|ignored`, as libtest prints. */
export function parseCargo(text: string, root: string): TestReport {
  const tests: TestCase[] = []
  let binary = ''
  let results = 0
  for (const line of text.split('\n')) {
    const running = /^\s+Running (?:unittests )?(\S+)/.exec(line)
    if (running) binary = running[1] ?? ''
    if (line.startsWith('test result: ')) results++
    const point = /^test (.{1,300}?) \.\.\. (ok|FAILED|ignored)\b/.exec(line)
    if (!point) continue
    const [, name = '', verdict] = point
    const said = cargoFailure(text, name)
    const place = / at ([\w./-]+\.rs):(\d+)/.exec(said)
    tests.push(
      testCase(binary === '' ? [name] : [binary, name], {
        file: place?.[1] ?? null,
        line: place?.[2] ? Number(place[2]) : null,
        status: verdict === 'ok' ? 'passed' : verdict === 'ignored' ? 'skipped' : 'failed',
        message: verdict === 'FAILED' ? cleanMessage(said, root) : null,
      }),
    )
  }
  return { tests, crashed: results === 0 ? 'the runner wrote no report' : null }
}

/** What libtest kept of one failed test, without thread numbers and backtrace. */
function cargoFailure(text: string, name: string): string {
  const mark = `---- ${name} stdout ----\n`
  const at = text.indexOf(mark)
  if (at < 0) return 'failed'
  const said = text.slice(at + mark.length, at + mark.length + 1500).split(/^(?:stack backtrace:|---- |failures:)/m)[0] ?? ''
  return said.replace(/' \(\d+\) panicked/, "' panicked").slice(0, 800)
}

/** A command that only ends: one test, named by the command. */
export function parseExit(argv: readonly string[], exitCode: number | null, output: string, root: string): TestReport {
  const failed = exitCode !== 0
  const message = failed ? cleanMessage(output.split('\n').slice(-12).join('\n'), root) : null
  return {
    tests: [testCase([argv.join(' ')], { file: null, line: null, status: failed ? 'failed' : 'passed', message })],
    crashed: null,
  }
}
