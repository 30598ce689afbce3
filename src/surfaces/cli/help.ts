/**
 * `vp help`: the commands that are built, grouped by the way of a run; `vp help CMD`; the topics; the nearest name
 * for a word that is no command. A view of the command table, nothing of its own.
 */
import { CODES } from '../../core/errors.ts'
import { cells } from './cells.ts'
import { column, type Screen } from './finish.ts'
import { hang, toCopy } from './style.ts'

/** What help needs of a command; the command table's entries have it all. */
export interface HelpEntry {
  readonly name: string
  readonly group: string
  readonly summary: string
  readonly usage: string
  readonly examples: readonly string[]
  readonly flags: Readonly<Record<string, { readonly type: string; readonly short?: string; readonly default?: string; readonly help: string }>>
  readonly exits: readonly number[]
  readonly json: string
}

const GROUPS = ['plan', 'run', 'prove', 'repair', 'by hand', 'models', 'rights', 'surfaces', 'machine'] as const
const GLOBAL_FLAGS = '--json --plain --no-input --yes --offline --debug --cwd DIR'
const LABEL = 10

export function helpScreen(commands: readonly HelpEntry[]): Screen {
  const lines = GROUPS.flatMap((group) => {
    const names = merged(commands.filter((command) => command.group === group).map((command) => command.name))
    if (names.length === 0) return []
    const text = hang(group, LABEL) + names.join('  ')
    return [group === 'plan' ? text + column(56, 'from an idea to a yes') : text]
  })
  return {
    stdout: ['vp: a person declares, vp plans, runs and proves, on this machine', ...lines, hang('flags', LABEL) + GLOBAL_FLAGS],
    stderr: [],
  }
}

/** `run test`, `run exec` become `run test|exec`. */
function merged(names: readonly string[]): string[] {
  const families = new Map<string, string[]>()
  for (const name of names) {
    const [head = name, ...tail] = name.split(' ')
    families.set(head, [...(families.get(head) ?? []), tail.join(' ')])
  }
  return [...families].map(([head, tails]) => [head, tails.filter((tail) => tail !== '').join('|')].filter((part) => part !== '').join(' '))
}

/** Usage, three examples, flags, exit statuses, JSON fields, in this order. */
export function commandHelpScreen(command: HelpEntry): Screen {
  const flags = Object.entries(command.flags).map(([name, flag]): [string, string] => [flagName(name, flag), flagText(flag)])
  const width = Math.min(30, Math.max(8, ...flags.map(([name]) => cells(name))) + 2)
  return {
    stdout: [
      `${command.name}: ${command.summary}`,
      hang('usage', LABEL) + command.usage,
      ...command.examples.slice(0, 3).map((example, index) => hang(index === 0 ? 'examples' : '', LABEL) + toCopy(example)),
      ...flags.map(([name, text], index) => {
        const lead = (index === 0 ? 'flags' : '').padEnd(LABEL) + name
        return hang(lead, LABEL + width) + text
      }),
      hang('exit', LABEL) + [...new Set([0, ...command.exits])].map((exit) => `${exit} ${EXITS[exit]?.[0] ?? ''}`).join(' · '),
      // With blanks within braces: a line breaks at nothing else.
      hang('json', LABEL) + command.json.replaceAll(/,(?=\S)/g, ', '),
    ],
    stderr: [],
  }
}

function flagName(name: string, flag: { readonly type: string; readonly short?: string }): string {
  const short = flag.short === undefined ? '' : `-${flag.short} `
  return `${short}--${name}${flag.type === 'boolean' ? '' : ' X'}`
}

function flagText(flag: { readonly help: string; readonly default?: string }): string {
  return flag.default === undefined ? flag.help : `${flag.help} [${flag.default}]`
}

/** Meaning, and the last words on stderr. design/cli.md section 3. */
const EXITS: Readonly<Record<number, readonly [meaning: string, last: string]>> = {
  0: ['done', 'the next command'],
  1: ['unexpected, a defect of ours', 'where the report lies'],
  2: ['usage, bad plan or input', 'the nearest valid form'],
  3: ['gate, verify or replay failed', 'the first violation'],
  4: ['denied, or no sandbox', 'the rule'],
  5: ['approval needed', 'vp approve ID'],
  6: ['budget', 'what the refused call could have cost'],
  7: ['conflict', 'what changed since, by whom'],
  8: ['no model available', 'the two shortest ways to one'],
  9: ['PLMS or PAS unreachable', 'its address'],
  130: ['interrupted', 'vp resume'],
}

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['VP_MODEL', 'provider:model, the model for all tiers'],
  ['VP_MODEL_BASE_URL', 'where it answers'],
  ['VP_MODEL_API_KEY', 'its key; keys are never arguments'],
  ['VP_STATE_DIR', 'where the ledger and the runs lie'],
  ['VP_CONFIG', 'the user configuration'],
  ['VP_TOKEN', 'the token whose rights vp rpc has, and no others'],
  ['VP_SANDBOX', 'bwrap, box, landlock or seatbelt, and no other'],
  ['VP_DEMO_DIR', 'where vp demo plays, and what it leaves there'],
  ['VP_PLAIN', 'plain output, as --plain; ACCESSIBLE does the same, 0 is off'],
  ['VP_ASCII', '1 forces ASCII signs, 0 forbids them'],
  ['NO_COLOR', 'no colour'],
]

const TOPICS: Readonly<Record<string, () => readonly string[]>> = {
  exit: () => Object.entries(EXITS).map(([exit, [meaning, last]]) => `${exit.padStart(3)}  ${hang(meaning, 31)}last on stderr: ${last}`),
  env: () => ENVIRONMENT.map(([name, text]) => hang(name, 20) + text),
  ids: () => [
    hang('run', LABEL) + '9c1f of r-2026-11-22-143102-9c1f: any unique part will do',
    hang('task', LABEL) + "T7, the plan's number",
    hang('approval', LABEL) + 'ap_3kf2: any unique part will do',
    hang('receipt', LABEL) + 'r_01JDX9: any unique part will do',
  ],
  json: () => [
    'one document on stdout: {"ok","v","command","result","warnings","receipt"}',
    'failed: {"ok":false,"error":{"code","message","retryable","why","where","next"}}',
    'exit 3, 6 and 7 carry "result" as well · lists are never null',
    'null is not measured; cost_usd null is price unknown · ids are full, times UTC',
    '--follow: one object a line, {"seq","t","event",…}, last {"event":"end","exit":N}',
    hang('codes', LABEL) + Object.keys(CODES).join(' '),
  ],
}

export function topicScreen(topic: string): Screen | null {
  const lines = Object.hasOwn(TOPICS, topic) ? TOPICS[topic]?.() : undefined
  return lines === undefined ? null : { stdout: lines, stderr: [] }
}
