/** The project's own rules, over every file of it. Prints `file:line rule` and exits 1 when one is broken. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

const rules = [
  ['no-tab', /\t/, 'any'],
  ['no-trailing-blank', /[ \t]$/, 'any'],
  ['max-length', /^.{121}/, '.js'],
  ['no-var', /^\s*var\s/, '.js'],
  ['strict-equality', / [!=]= /, '.js'],
  ['no-debugger', /^\s*debugger\b/, '.js'],
]
const linted = new Set(['.js', '.json', '.md'])

function problemsOf(file) {
  const text = readFileSync(file, 'utf8')
  const found = text.split('\n').flatMap((line, index) =>
    rules
      .filter(([, pattern, kind]) => (kind === 'any' || kind === extname(file)) && pattern.test(line))
      .map(([rule]) => `${file}:${index + 1} ${rule}`),
  )
  if (!text.endsWith('\n')) found.push(`${file}:${text.split('\n').length} final-newline`)
  if (extname(file) === '.json') found.push(...jsonProblems(file, text))
  return found
}

function jsonProblems(file, text) {
  try {
    JSON.parse(text)
    return []
  } catch {
    return [`${file}:1 valid-json`]
  }
}

const files = readdirSync('.', { recursive: true })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => linted.has(extname(name)) && !/^(\.|node_modules\/)/.test(name))
const problems = files.toSorted().flatMap(problemsOf)
for (const problem of problems) console.log(problem)
process.exitCode = problems.length > 0 ? 1 : 0
