/**
 * The user's configuration: one JSON file, every value with a default and a source. A repository's own files may
 * only narrow, and never name an endpoint, a key or a program; so they are not read here.
 */
import { readFileSync } from 'node:fs'
import * as z from 'zod/mini'
import { VpError } from '../core/errors.ts'
import { once } from '../core/once.ts'
import { wordsOfIssue } from '../core/schema-issue.ts'
import type { Environment } from './paths.ts'

const SANDBOXES = ['bwrap', 'box', 'landlock', 'seatbelt'] as const

/** Made where there is a file to read. */
const schema = once(() => {
  const price = z.strictObject({
    in_per_million_usd: z.number().check(z.nonnegative()),
    out_per_million_usd: z.number().check(z.nonnegative()),
  })

  const forge = z.strictObject({
    host: z.string().check(z.regex(/^[A-Za-z0-9][\w.-]*(:\d+)?$/)),
    kind: z.enum(['github', 'gitlab', 'gitea']),
    api: z.optional(z.string()),
    token_command: z.optional(z.array(z.string()).check(z.minLength(1))),
  })

  return z.strictObject({
    model: z.optional(
      z.strictObject({
        provider: z.string(),
        model: z.string(),
        base_url: z.optional(z.string()),
        /** Prints the key; started without a shell. */
        api_key_command: z.optional(z.array(z.string()).check(z.minLength(1))),
      }),
    ),
    sandbox: z.optional(z.enum(SANDBOXES)),
    parallel: z.optional(z.int().check(z.gte(1), z.lte(16))),
    before_approval_usd: z.optional(z.number().check(z.nonnegative())),
    do_budget_usd: z.optional(z.number().check(z.nonnegative())),
    do_budget_tokens: z.optional(z.int().check(z.nonnegative())),
    max_attempts: z.optional(z.int().check(z.gte(1), z.lte(10))),
    max_turns: z.optional(z.int().check(z.gte(2), z.lte(200))),
    stall_seconds: z.optional(z.int().check(z.gte(1), z.lte(3600))),
    allow_unknown_price: z.optional(z.boolean()),
    context: z.optional(
      z.strictObject({
        window_tokens: z.optional(z.int().check(z.gte(2048), z.lte(10_000_000))),
        fraction: z.optional(z.number().check(z.gte(0.1), z.lte(0.7))),
        hard_stop: z.optional(z.number().check(z.gte(0.71), z.lte(0.95))),
      }),
    ),
    prices: z.optional(z.record(z.string(), price)),
    bell: z.optional(z.enum(['on', 'off'])),
    secrets: z.optional(z.strictObject({ files: z.optional(z.array(z.string()).check(z.maxLength(32))), on_hit: z.optional(z.enum(['mask', 'halt'])) })),
    forges: z.optional(z.array(forge)),
    git: z.optional(z.strictObject({ sign: z.optional(z.enum(['merge', 'each', 'never'])), signoff: z.optional(z.boolean()) })),
  })
})

type UserFile = z.infer<ReturnType<typeof schema>>

export interface Config {
  readonly model: UserFile['model'] | null
  readonly sandbox: (typeof SANDBOXES)[number] | null
  readonly parallel: number
  readonly before_approval_usd: number
  readonly do_budget_usd: number
  readonly do_budget_tokens: number
  readonly max_attempts: number
  readonly max_turns: number
  readonly stall_seconds: number
  readonly allow_unknown_price: boolean
  /** The window of the model in force, and how much of it a task's conversation may fill: contracts/rag.md section 4. */
  readonly context: { readonly window_tokens: number; readonly fraction: number; readonly hard_stop: number }
  /** Model name → USD per million tokens, in and out. */
  readonly prices: NonNullable<UserFile['prices']>
  readonly bell: 'on' | 'off'
  readonly secrets: {
    /** Like a `.env`; their values are masked wherever they stand: `/…` or `~/…`. */
    readonly files: readonly string[]
    /** What a masked value in a request to a model means: it is sent, masked, or the call stops for a person's yes. */
    readonly on_hit: 'mask' | 'halt'
  }
  /** Where pull requests are opened besides the well-known forges; a token goes nowhere else. */
  readonly forges: NonNullable<UserFile['forges']>
  /** `sign` null: `merge` where the person has a key, else `never`. */
  readonly git: {
    readonly sign: 'merge' | 'each' | 'never' | null
    /** The person signs off (DCO) what vp commits for them. */
    readonly signoff: boolean
  }
}

const DEFAULTS: Config = {
  model: null,
  sandbox: null,
  parallel: 2,
  before_approval_usd: 0.25,
  do_budget_usd: 0.5,
  do_budget_tokens: 200_000,
  max_attempts: 3,
  max_turns: 40,
  stall_seconds: 120,
  allow_unknown_price: false,
  context: { window_tokens: 32_768, fraction: 0.5, hard_stop: 0.75 },
  prices: {},
  bell: 'on',
  secrets: { files: [], on_hit: 'mask' },
  forges: [],
  git: { sign: null, signoff: false },
}

export interface Sourced {
  readonly name: string
  readonly value: unknown
  readonly source: string
}

export interface LoadedConfig {
  readonly config: Config
  readonly sources: readonly Sourced[]
}

/** Reads the user's file. Throws `config.invalid` with file and field. */
export function loadConfig(file: string, env: Environment): LoadedConfig {
  const user = readUserFile(file)
  const pinned = env['VP_SANDBOX']
  if (pinned !== undefined && !SANDBOXES.some((name) => name === pinned))
    throw new VpError('config.invalid', `VP_SANDBOX is one of ${SANDBOXES.join(', ')}, not ${JSON.stringify(pinned)}`, { next: ['unset VP_SANDBOX'] })
  const git = { ...DEFAULTS.git, ...user.git }
  const secrets = { ...DEFAULTS.secrets, ...user.secrets }
  const context = { ...DEFAULTS.context, ...user.context }
  const config = { ...DEFAULTS, ...user, secrets, context, git, ...(pinned ? { sandbox: pinned } : {}) } as Config
  const { git: _, ...rest } = config
  const sources = Object.entries(rest).map(([name, value]): Sourced => ({
    name,
    value,
    source: name === 'sandbox' && pinned ? 'VP_SANDBOX' : name in user ? file : 'default',
  }))
  sources.push({ name: 'git.sign', value: git.sign ?? 'merge', source: git.sign === null ? 'default, where you have a key' : file })
  sources.push({ name: 'git.signoff', value: git.signoff, source: user.git?.signoff === undefined ? 'default' : file })
  return { config, sources }
}

function readUserFile(file: string): UserFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new VpError('config.invalid', `${file} cannot be read`, { cause: error, where: { file } })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new VpError('config.invalid', `the user configuration is not JSON`, { cause, where: { file } })
  }
  const parsed = schema().safeParse(value)
  if (parsed.success) return parsed.data
  throw new VpError('config.invalid', wordsOfIssue(parsed.error.issues[0], value), {
    where: { file },
    next: ['vp config show'],
  })
}
