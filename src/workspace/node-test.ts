/**
 * How `node --test` is made to write TAP beside whatever it was told to print. Node reads options in front of its paths only,
 * and wants a destination for each reporter, so an argument behind does for the simplest call alone; for every other the
 * options go into NODE_OPTIONS, whose own come first. Pure.
 */

const REPORTER = /^--test-reporter(=|$)/
const DESTINATION = /^--test-reporter-destination(=|$)/
const TAP = '--test-reporter=tap'

interface NodeTest {
  readonly runner: string
  readonly report_args: readonly string[]
  readonly report_in?: 'NODE_OPTIONS'
  readonly report: { readonly format: 'tap'; readonly from: 'stdout' | 'file'; readonly path?: string }
}

/** Whether these words are a call of Node's test runner whose report can be had. */
export function isNodeTest(words: readonly string[]): boolean {
  return words[0] === 'node' && words.includes('--test') && count(words, DESTINATION) <= count(words, REPORTER)
}

/** What reports for a call of these words that lets arguments be appended. */
export function nodeTestReport(words: readonly string[]): NodeTest {
  const isBare = words.slice(1).every((word) => word.startsWith('-') && word !== '--') && count(words, REPORTER) === 0
  if (isBare) return { runner: 'node:test', report_args: [TAP], report: { format: 'tap', from: 'stdout' } }
  // A single reporter without a destination prints to stdout, which has to be said once there are two.
  const left = count(words, REPORTER) - count(words, DESTINATION)
  return {
    runner: 'node:test',
    report_args: [TAP, '--test-reporter-destination={report}', ...Array.from({ length: left }, () => '--test-reporter-destination=stdout')],
    report_in: 'NODE_OPTIONS',
    report: { format: 'tap', from: 'file', path: 'report.tap' },
  }
}

/** The call itself, as a person typed it: with the reporter in it where it names none. */
export function nodeTestCommand(argv: readonly string[]): NodeTest & { readonly argv: readonly string[] } {
  if (count(argv, REPORTER) > 0) return { argv, ...nodeTestReport(argv) }
  const at = argv.indexOf('--test') + 1
  return { argv: [...argv.slice(0, at), TAP, ...argv.slice(at)], runner: 'node:test', report_args: [], report: { format: 'tap', from: 'stdout' } }
}

function count(words: readonly string[], option: RegExp): number {
  return words.filter((word) => option.test(word)).length
}
