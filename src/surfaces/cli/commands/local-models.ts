/** `vp model probe`, `vp model pull`: what a model of one's own can really be asked, and how it comes to this machine. */
import { modelProbe, type ModelProbe } from '../../../operations/model-probe.ts'
import { modelPull, type ModelPulled } from '../../../operations/model-pull.ts'
import { COUNT, numberFlag } from '../parse.ts'
import type { Command, CommandContext } from '../command.ts'
import { openRegion } from '../region.ts'
import { modelPullScreen, pullLine, type PullProgress } from '../screens/pull.ts'
import { signs } from '../style.ts'
import { modelProbeScreen } from '../screens/probe.ts'

export const modelProbeCommand: Command = {
  name: 'model probe',
  group: 'models',
  summary: 'measure window, dialect and speed of a local model',
  usage: 'vp model probe [PROVIDER:MODEL] [--window TOKENS] [--base-url URL]',
  takes: 1,
  examples: ['vp model probe', 'vp model probe ollama:phi4:14b', 'vp model probe ollama:qwen3-coder --window 65536'],
  flags: {
    window: { type: 'string', help: 'the largest window to try' },
    'base-url': { type: 'string', help: 'where it answers' },
  },
  needsKit: true,
  exits: [0, 2, 8, 130],
  json: 'model, digest, drift{was,is}, window{stock,effective,set,trained,stock_look,whole,markers}, dialect, calls, repairs, tok_per_s, first_token_ms',
  async run(context) {
    const [model] = context.positionals
    const { 'base-url': baseUrl } = context.flags
    const typed = context.flags['window']
    const window = numberFlag({ window: typeof typed === 'string' ? typed.replaceAll(',', '') : typed }, 'window', COUNT)
    context.talk('some fifteen prompts, one of them as long as the window: minutes on a CPU')
    const answer = await context.call(modelProbe, {
      ...(model === undefined ? {} : { model }),
      ...(window === undefined ? {} : { window }),
      ...(typeof baseUrl === 'string' ? { base_url: baseUrl } : {}),
    })
    const result = answer.result as ModelProbe
    return { result, receipt: answer.receipt, screen: (look) => modelProbeScreen(result, look) }
  },
}

export const modelPullCommand: Command = {
  name: 'model pull',
  group: 'models',
  summary: 'bring a model to this machine',
  usage: 'vp model pull ollama:NAME|URL|NAME [--sha256 HEX] [--index FILE] [--name NAME]',
  takes: 1,
  examples: ['vp model pull ollama:qwen2.5-coder:7b', 'vp model pull https://HOST/MODEL.gguf --sha256 HEX', 'vp model pull my-model --index models.json'],
  flags: {
    sha256: { type: 'string', help: 'what the file must be' },
    index: { type: 'string', help: 'a file of names, addresses and hashes' },
    name: { type: 'string', help: 'the name to keep it under' },
  },
  needsKit: true,
  exits: [0, 2, 4, 7, 8, 130],
  json: 'model, file, bytes, sha256, verified, resumed_from, window_trained',
  async run(context) {
    const [model = ''] = context.positionals
    const flags = Object.fromEntries(Object.entries(context.flags).filter(([, value]) => typeof value === 'string'))
    const watch = watching(context)
    try {
      const answer = await context.call(modelPull, { model, ...flags }, { onProgress: watch.onProgress })
      watch.end()
      const result = answer.result as ModelPulled
      const warnings = result.verified ? [] : [`nobody named the sha256 of this file; it is ${result.sha256 ?? ''}`]
      return { result, receipt: answer.receipt, warnings, screen: (look) => modelPullScreen(result, look) }
    } finally {
      watch.end()
    }
  },
}

const [FRAME_MS, LINE_MS] = [100, 10_000]

/** A bar in place on a terminal, a line now and then elsewhere, nothing with `--json`. */
function watching({ looks, json, ports, writeErr, columns, talk }: CommandContext): { onProgress(progress: PullProgress): void; end(): void } {
  if (json) return { onProgress: () => undefined, end: () => undefined }
  const begun = ports.clock.monotonic()
  const region = looks.err.tty && !looks.err.plain ? openRegion(writeErr, columns) : null
  let [last, what] = [-Infinity, '']
  return {
    onProgress(progress) {
      const now = ports.clock.monotonic()
      if (progress.what === what && now - last < (region ? FRAME_MS : LINE_MS)) return
      ;[last, what] = [now, progress.what]
      const line = pullLine(progress, now - begun, region ? columns() : null)
      if (region) region.draw([signs(looks.err, line)])
      else talk(line)
    },
    end: () => region?.erase(),
  }
}
