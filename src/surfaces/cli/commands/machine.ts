/** `vp doctor`, `config show`: the machine and what is set on it. */
import { statfsSync, statSync } from 'node:fs'
import { loadConfig } from '../../../config/config.ts'
import { pathsFrom } from '../../../config/paths.ts'
import { asVpError, CODES, nextSteps, VpError } from '../../../core/errors.ts'
import { offeredModels } from '../../../models/choose.ts'
import { inProcessFault } from '../../../operations/in-process.ts'
import { chosenModel } from '../../../operations/models.ts'
import { answers } from '../../../operations/reach.ts'
import { signingOf } from '../../../operations/signing.ts'
import type { OpenKit } from '../../../operations/kit.ts'
import { keptRuns } from '../../../operations/runs/kept.ts'
import { verifyError, verifyLedger } from '../../../operations/runs/verify.ts'
import { sweepScratch } from '../../../operations/scratch.ts'
import { finishedWords, finishMoves } from '../../../operations/moves.ts'
import { repairedWords, repairWrites } from '../../../operations/write-journal.ts'
import { environmentSecrets } from '../../../policy/dotenv.ts'
import { createRedactor, redactTexts } from '../../../policy/redact.ts'
import { findRepositoryRoot, humanIdentity, openHumanRepository } from '../../../workspace/human-repository.ts'
import type { Command, CommandContext, Outcome } from '../command.ts'
import { count as counted } from '../format.ts'
import { configScreen } from '../screens/by-hand.ts'
import { doctorScreen, type DoctorCheck } from '../screens/doctor.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  group: 'machine',
  summary: 'tries each thing vp needs',
  usage: 'vp doctor',
  examples: ['vp doctor', 'vp doctor --json | jq .result.checks', 'VP_SANDBOX=box vp doctor'],
  flags: {},
  needsKit: true,
  exits: [0, 2, 3, 4, 7, 8],
  json: 'ready, checks[]{name,status,code,detail,fix[]}, sandbox{backend,refused[],not_refused[]}',
  async run(context) {
    // Where configuration or ledger cannot be opened nothing else can be tried, and this row says what to do.
    const closed = openingCheck(context)
    if (closed) return verdict([closed], null)
    const ledger = await ledgerCheck(context)
    const tried = [
      await nodeCheck(context),
      await gitCheck(context),
      await sandboxCheck(context),
      await modelCheck(context),
      ledger,
      ...(await writesCheck(context)),
      ...leftCheck(context),
      ...runsCheck(context),
      ...projectCheck(context),
    ]
    const checks = redactTexts(tried, context.kit().redactText)
    const sandbox = await context
      .kit()
      .sandbox()
      .catch(() => null)
    return verdict(checks, sandbox)
  },
}

function verdict(
  checks: readonly DoctorCheck[],
  sandbox: { readonly backend: { readonly name: string }; readonly weaknesses: readonly string[] } | null,
): Outcome {
  const missing = checks.filter((check) => check.status === 'missing')
  const result = {
    ready: missing.length === 0,
    checks,
    sandbox: {
      backend: sandbox?.backend.name ?? null,
      refused: sandbox ? ['write outside', 'read keys', 'connect'] : [],
      not_refused: sandbox?.weaknesses ?? [],
    },
  }
  // A ledger that cannot be relied on weighs more than a model that is not there.
  const worst = missing.find((check) => check.name === 'ledger') ?? missing[0]
  const code = worst?.code ?? (worst?.name === 'model' ? 'model.none' : 'sandbox.unavailable')
  return {
    result,
    exit: worst ? CODES[code].exit : 0,
    ...(worst ? { error: new VpError(code, worst.detail, { next: [...worst.fix] }) } : {}),
    screen: (look) => doctorScreen(result, look),
  }
}

function openingCheck(context: CommandContext): DoctorCheck | null {
  try {
    context.kit()
    return null
  } catch (error) {
    const known = asVpError(error)
    return failedCheck(context, known.code.startsWith('store.') ? 'ledger' : 'config', known)
  }
}

function failedCheck(context: CommandContext, name: string, error: VpError): DoctorCheck {
  const { state } = pathsFrom(context.env)
  const own = nextSteps(error).filter((step) => step !== 'vp doctor')
  // What is moved away is kept, anchor and key with it; what it holds can still be read with the program that wrote it.
  const others = CODES[error.code].exit === 3 ? [`put ${state} back from a copy of your own`, `mv ${state} ${state}.damaged`] : [`ls -ld ${state}`]
  return { name, status: 'missing', code: error.code, detail: error.message, fix: own.length > 0 ? own : others }
}

async function nodeCheck(context: CommandContext): Promise<DoctorCheck> {
  const own = process.versions.node
  const theirs = await context
    .kit()
    .toolchain('node', context.checkout().root, { askVersion: true })
    .catch(() => null)
  const version = theirs?.version?.replace(/^v/, '')
  return {
    name: 'node',
    status: 'ok',
    detail: `${own}, pinned by vp${version ? ` (yours, ${version}, only runs npm)` : ''}`,
    fix: [],
  }
}

async function gitCheck(context: CommandContext): Promise<DoctorCheck> {
  const kit = context.kit()
  const version = await kit.git(['version']).then(
    (answer) => answer.stdout.toString().trim().replace('git version ', ''),
    () => null,
  )
  if (version === null) return { name: 'git', status: 'missing', detail: 'git is not found', fix: ['apt install git'] }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 2 || (major === 2 && minor < 38))
    return {
      name: 'git',
      status: 'missing',
      detail: `${version}; vp merges with git 2.38 or later`,
      fix: ['apt install git'],
    }
  const root = findRepositoryRoot(context.cwd)
  if (!root) return { name: 'git', status: 'ok', detail: `${version} · no repository here`, fix: [] }
  try {
    const human = await openHumanRepository(kit.git, root, kit.paths.views)
    await humanIdentity(kit.git, human, kit.env)
    const signing = await signingOf(kit, { root: human.root, present: false, signal: new AbortController().signal })
    const what = { merge: 'what vp complete adds is', each: 'commits are', never: 'commits are not' }[signing.when]
    const key = { ssh: ' with your SSH key', openpgp: ' with your GPG key' }[signing.format ?? 'ssh']
    return { name: 'git', status: 'ok', detail: `${version} · author set · ${what} signed${signing.format === null ? '' : key}`, fix: [] }
  } catch (error) {
    const known = asVpError(error)
    return {
      name: 'git',
      status: 'weak',
      detail: `${version} · ${known.message}`,
      fix: [...(known.details.next ?? [])],
    }
  }
}

async function sandboxCheck(context: CommandContext): Promise<DoctorCheck> {
  try {
    const { backend, weaknesses } = await context.kit().sandbox()
    if (weaknesses.length === 0)
      return {
        name: 'sandbox',
        status: 'ok',
        detail: `${backend.name} · tried and refused: write outside, read keys, connect`,
        fix: [],
      }
    return {
      name: 'sandbox',
      status: 'weak',
      detail: `${backend.name}: ${weaknesses.join('; ')}`,
      fix: backend.name === 'box' || backend.name === 'landlock' ? ['apt install bubblewrap'] : [],
    }
  } catch (error) {
    const known = asVpError(error)
    return {
      name: 'sandbox',
      status: 'missing',
      detail: known.message,
      fix: [...(known.details.next ?? ['apt install bubblewrap'])],
    }
  }
}

async function modelCheck(context: CommandContext): Promise<DoctorCheck> {
  if (context.env['VP_MODEL']?.startsWith('recorded:')) return { name: 'model', status: 'ok', detail: 'recorded', fix: [] }
  const choice = chosenModel(context.kit())
  const fault = await inProcessFault(context.kit(), choice.spec)
  if (fault) return { name: 'model', status: 'missing', detail: fault.message, fix: [...(fault.details.next ?? [])] }
  if (choice.spec.provider === 'llama_cpp' || (await answers(choice.spec.baseUrl)))
    return {
      name: 'model',
      status: 'ok',
      detail: `${choice.spec.provider}:${choice.spec.model} at ${choice.spec.endpoint.host}`,
      fix: [],
    }
  const offered = offeredModels(context.env)[0]
  const detail = `nothing answers at ${choice.spec.endpoint.host}${offered?.kind === 'offered' ? `; ${offered.because}, and is used after a yes` : ', no API key in the environment'}`
  return {
    name: 'model',
    status: offered ? 'weak' : 'missing',
    detail,
    fix: ['ollama pull qwen2.5-coder:7b', 'export VP_MODEL=anthropic:NAME VP_MODEL_API_KEY=KEY'],
  }
}

/** Asks what `vp verify` asks, of all that is here. */
async function ledgerCheck(context: CommandContext): Promise<DoctorCheck> {
  const { ledger, state } = pathsFrom(context.env)
  try {
    const kit = context.kit() as OpenKit
    const verified = await verifyLedger(kit, kit, { root: context.checkout().root, run: null })
    if (!verified.sound) return failedCheck(context, 'ledger', verifyError(verified))
    await kit.store.transaction(async () => undefined) // a ledger that cannot be written is none
    const count = (await kit.store.read((tx) => tx.get<{ n: number }>('SELECT COUNT(*) AS n FROM receipts')))?.n ?? 0
    const free = statfsSync(state)
    return {
      name: 'ledger',
      status: 'ok',
      detail: `${count} receipts, unaltered · ${megabytes(statSync(ledger).size)}, disk has ${megabytes(free.bavail * free.bsize)} free`,
      fix: [],
    }
  } catch (error) {
    return failedCheck(context, 'ledger', asVpError(error))
  }
}

/** A row only where the file is broken: whoever made it so, runs wait for it and the rest goes on. */
function projectCheck(context: CommandContext): DoctorCheck[] {
  try {
    void context.checkout().project
    return []
  } catch (error) {
    const known = asVpError(error)
    const detail = `${known.details.where?.file ?? ''} ${known.message}`.trim()
    return [{ name: 'project', status: 'weak', detail, fix: ['git diff .vp/project.json', 'git checkout .vp/project.json'] }]
  }
}

/** A row only where a write or the moving of a branch was cut off: the one is taken back here, the other finished. */
async function writesCheck(context: CommandContext): Promise<DoctorCheck[]> {
  const moved = (await finishMoves(context.kit())).map((one) => ({ detail: finishedWords(one), isWhole: one.left === null }))
  const repaired = (await repairWrites(context.kit())).map((one) => ({ detail: repairedWords(one), isWhole: one.left.length === 0 }))
  return [...moved, ...repaired].map(({ detail, isWhole }) => ({
    name: 'writes',
    status: isWhole ? 'ok' : 'weak',
    detail,
    fix: isWhole ? [] : ['git status'],
  }))
}

/** A row only where a killed vp had left something. */
function leftCheck(context: CommandContext): DoctorCheck[] {
  const count = sweepScratch(context.kit())
  return count === 0
    ? []
    : [{ name: 'tmp', status: 'ok', detail: `${counted(count, 'directory', 'directories')} of vp processes that were killed removed`, fix: [] }]
}

/** A row only where there are runs: what they keep is never removed by vp. */
function runsCheck(context: CommandContext): DoctorCheck[] {
  const { runs, bytes } = keptRuns(context.kit())
  if (runs === 0) return []
  const detail = `${counted(runs, 'run')}, ${megabytes(bytes)} in ${context.kit().paths.runs}, kept for validate, replay and export · rm -r that directory/RUN ends that for a run`
  return [{ name: 'runs', status: 'ok', detail, fix: [] }]
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${Math.round(bytes / 1e9)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`
}

export const configShowCommand: Command = {
  name: 'config show',
  group: 'machine',
  summary: 'each value with its source',
  usage: 'vp config show',
  examples: ['vp config show', 'vp config show --json', 'vp config show | grep sandbox'],
  flags: {},
  needsKit: true,
  exits: [0, 2],
  json: 'values[]{name,value,source}',
  async run(context) {
    const paths = pathsFrom(context.env)
    const { sources } = loadConfig(paths.configFile, context.env)
    const mask = createRedactor({ known: environmentSecrets(context.env) })
    const all = [
      ...redactTexts(sources, (text) => mask(text).text),
      { name: 'state', value: paths.state, source: context.env['VP_STATE_DIR'] ? 'VP_STATE_DIR' : 'default' },
      { name: 'config', value: paths.configFile, source: context.env['VP_CONFIG'] ? 'VP_CONFIG' : 'default' },
    ]
    const values = all.map(({ name, value, source }) => ({
      name,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      source,
    }))
    return { result: { values: all }, screen: (look) => configScreen({ values }, look) }
  },
}
