/**
 * model.pull: a model to this machine, from the Ollama that will serve it, from an address, or by its name in an index of
 * addresses. vp itself knows no address: nothing is asked that a person did not name.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import * as z from 'zod/mini'
import { once } from '../core/once.ts'
import { VpError } from '../core/errors.ts'
import { wordsOfIssue } from '../core/schema-issue.ts'
import { chooseModel, endpointOf } from '../models/choose.ts'
import { readGgufHead } from '../models/gguf.ts'
import { presetOf } from '../models/policy/presets.ts'
import { download, hashed } from '../models/pull/download.ts'
import { pullFromOllama } from '../models/pull/ollama.ts'
import { atPath } from '../store/directory.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { Kit } from './kit.ts'
import { modelFile } from './in-process.ts'
import { chosenModel } from './models.ts'
import { operation, type Scene } from './operation.ts'

const pulled = once(() =>
  z.object({
    /** `provider:model`, as `vp model set` takes it. */
    model: z.string(),
    file: z.nullable(z.string()),
    bytes: z.nullable(z.int()),
    sha256: z.nullable(z.string()),
    /** false: nobody named a hash to hold it against. */
    verified: z.boolean(),
    resumed_from: z.int(),
    window_trained: z.nullable(z.int()),
  }),
)
export type ModelPulled = z.infer<ReturnType<typeof pulled>>

const SHA256 = /^[0-9a-fA-F]{64}$/
const NAME = /^[\w][\w.+-]{0,99}$/

export const modelPull = operation({
  name: 'model.pull',
  summary: 'bring a model to this machine, verified and resumable',
  params: () =>
    z.strictObject({
      /** `ollama:NAME`, an address of a GGUF, or a name of the index. */
      model: z.string().check(z.minLength(1), z.maxLength(4000)),
      sha256: z.optional(z.string().check(z.regex(SHA256))),
      /** A file that says where models are: `{"models": {"NAME": {"url", "sha256"}}}`. */
      index: z.optional(z.string().check(z.maxLength(4000))),
      /** The file's name; absent: the address's last part. */
      name: z.optional(z.string().check(z.regex(NAME))),
    }),
  result: () => pulled(),
  effect: 'write',
  scope: 'model.use',
  decide: (_params, { caller }) =>
    caller.surface === 'cli' || caller.scopes.has('projects.approve')
      ? { effect: 'allow', rule: 'scope/model.use', reason: 'a person asked for it' }
      : { effect: 'ask', rule: 'global/model-by-a-person', reason: 'it asks an address for gigabytes' },
  ask: ({ model }) => ({
    wants: `download ${model}`,
    reaches: 'the address in it, or what your Ollama downloads from',
    undo: 'delete the file, or ollama rm',
    fullyUndoable: false,
    maxExtent: 'call',
  }),
  async handler({ model, sha256, index, name }, scene): Promise<ModelPulled> {
    const { kit, notes } = scene
    const source = sourceOf(kit, model, sha256, index)
    if (kit.offline) throw new VpError('model.offline', `--offline, and ${model} would be downloaded`, { next: ['vp without --offline', 'vp model list'] })
    const result = source.kind === 'ollama' ? await fromOllama(scene, source.name) : await fromAddress(scene, source, name)
    notes['pulled'] = result
    return result
  },
  say: (_params, { model, bytes }) => `${model}${bytes === null ? '' : `, ${bytes} bytes`}`,
})

type Source =
  | { readonly kind: 'ollama'; readonly name: string }
  | { readonly kind: 'address'; readonly url: string; readonly sha256: string | null; readonly name: string | null }

/** Throws `usage.params`. */
function sourceOf(kit: Kit, model: string, sha256: string | undefined, index: string | undefined): Source {
  const wrong = (message: string) =>
    new VpError('usage.params', message, { next: ['vp model pull ollama:qwen2.5-coder:7b', 'vp model pull https://HOST/MODEL.gguf --sha256 HEX'] })
  const prefixed = /^(?:ollama|local_llama):(.+)$/.exec(model)?.[1]
  if (prefixed !== undefined) return { kind: 'ollama', name: tagOf(prefixed) }
  if (/^https?:\/\//i.test(model)) return { kind: 'address', ...address(model, sha256 ?? null, wrong), name: null }
  if (index !== undefined) {
    const entry = indexed(index, model)
    return { kind: 'address', ...address(entry.url, sha256 ?? entry.sha256, wrong), name: model }
  }
  if (/^[a-z_]+:\/\//i.test(model)) throw wrong(`${model.slice(0, 80)} is no https address`)
  if (chosenModel(kit).spec.provider !== 'ollama') throw wrong(`where ${model.slice(0, 80)} comes from is not said: ollama:NAME, an address, or --index FILE`)
  return { kind: 'ollama', name: tagOf(model) }
}

/** Ollama knows tags, not the names that vp has for its presets. */
function tagOf(name: string): string {
  const preset = presetOf(name)
  return preset?.name === name ? preset.tag : name
}

/** A hash may stand behind the address: `#sha256=…`. Without TLS only on this machine. */
function address(url: string, sha256: string | null, wrong: (message: string) => VpError): { url: string; sha256: string | null } {
  const { loopback } = endpointOf(url)
  const parsed = new URL(url)
  if (parsed.protocol !== 'https:' && !loopback) throw wrong('a model is pulled over https, or from this machine')
  if (parsed.username !== '' || parsed.password !== '') throw wrong('an address with a password in it is not taken')
  const fragment = /^#sha256=([0-9a-f]{64})$/i.exec(parsed.hash)?.[1] ?? null
  parsed.hash = ''
  return { url: parsed.href, sha256: (sha256 ?? fragment)?.toLowerCase() ?? null }
}

const indexFile = once(() => z.object({ models: z.record(z.string(), z.object({ url: z.string(), sha256: z.string().check(z.regex(SHA256)) })) }))

function indexed(file: string, name: string): { url: string; sha256: string } {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    // Not the parser's own words: they quote the file.
    const why = cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read'
    throw new VpError('usage.params', `the index ${file} ${why}`, { where: { file } })
  }
  const parsed = indexFile().safeParse(value)
  if (!parsed.success) {
    throw new VpError('usage.params', `the index ${file} is none: ${wordsOfIssue(parsed.error.issues[0], value)}`, { where: { file } })
  }
  const entry = Object.hasOwn(parsed.data.models, name) ? parsed.data.models[name] : undefined
  if (!entry)
    throw new VpError('model.not_found', `${file} has no model ${name}`, {
      next: Object.keys(parsed.data.models)
        .slice(0, 3)
        .map((one) => `vp model pull ${one} --index ${file}`),
    })
  return entry
}

async function fromOllama({ kit, signal, caller }: Scene, name: string): Promise<ModelPulled> {
  const inForce = chosenModel(kit).spec
  const spec = inForce.provider === 'ollama' ? { ...inForce, model: name } : chooseModel({ VP_MODEL: `ollama:${name}` }, null).spec
  const { digest, trainedTokens } = await pullFromOllama({ sleep: kit.sleep, onProgress: (progress) => caller.onProgress?.(progress) }, spec, signal)
  return { model: `ollama:${name}`, file: null, bytes: null, sha256: digest, verified: true, resumed_from: 0, window_trained: trainedTokens }
}

async function fromAddress({ kit, signal, caller }: Scene, source: Extract<Source, { kind: 'address' }>, asked: string | undefined): Promise<ModelPulled> {
  const { url, sha256 } = source
  const name = asked ?? source.name ?? decodeURIComponent(basename(new URL(url).pathname))
  if (!NAME.test(name))
    throw new VpError('usage.params', `${JSON.stringify(name.slice(0, 60))} is no name for a file`, { next: [`vp model pull ${url} --name NAME`] })
  const to = modelFile(kit, name)
  atPath(kit.paths.models, ['export XDG_DATA_HOME=DIR'], () => {
    makeDirectory(kit.paths.models)
    accessSync(kit.paths.models, constants.W_OK)
  })
  const result = (bytes: number, hash: string, resumed_from: number): ModelPulled => ({
    model: `llama_cpp:${basename(to).replace(/\.gguf$/, '')}`,
    file: to,
    bytes,
    sha256: hash,
    verified: sha256 !== null,
    resumed_from,
    window_trained: readGgufHead(to).trainedTokens,
  })
  return alone(kit, `${to}.pulling`, async () => {
    if (existsSync(to)) {
      const { bytes } = readGgufHead(to)
      const found = (await hashed(to)).digest('hex')
      if (sha256 === null || sha256 === found) return result(bytes, found, bytes)
      throw new VpError('usage.params', `${to} is there already, and is another file (sha256 ${found})`, {
        next: [`vp model pull ${url} --name NAME`, `rm ${to}`],
      })
    }
    const onProgress = caller.onProgress ?? (() => undefined)
    const done = await download({ sleep: kit.sleep, onProgress }, { url, to, sha256, signal })
    try {
      return result(done.bytes, done.sha256, done.resumedFrom)
    } catch (error) {
      rmSync(to, { force: true })
      throw error
    }
  })
}

/** One process at a time writes a file; what a process that is gone left does not count. */
async function alone<Result>(kit: Kit, lock: string, body: () => Promise<Result>): Promise<Result> {
  for (let tried = 0; ; tried++) {
    try {
      const fd = openSync(lock, 'wx', 0o600)
      writeSync(fd, kit.worker)
      closeSync(fd)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (tried > 2 || kit.isAlive(readFileSync(lock, 'utf8')))
        throw new VpError('store.locked', `another vp is pulling ${basename(lock, '.pulling')}`, { next: ['wait for it', 'vp status'] })
      rmSync(lock, { force: true })
    }
  }
  try {
    return await body()
  } finally {
    rmSync(lock, { force: true })
  }
}
