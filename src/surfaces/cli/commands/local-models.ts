/** `vp model probe`: what a model on a server of one's own can really be asked. */
import { modelProbe, type ModelProbe } from '../../../operations/model-probe.ts'
import type { Command } from '../command.ts'
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
  exits: [0, 2, 8],
  json: 'model, digest, window{stock,effective,set,trained,stock_look,whole,markers}, dialect, calls, repairs, tok_per_s, first_token_ms',
  async run(context) {
    const [model] = context.positionals
    const { window, 'base-url': baseUrl } = context.flags
    context.talk('some fifteen prompts, one of them as long as the window: minutes on a CPU')
    const answer = await context.call(modelProbe, {
      ...(model === undefined ? {} : { model }),
      ...(typeof window === 'string' ? { window: Number(window.replaceAll(',', '')) } : {}),
      ...(typeof baseUrl === 'string' ? { base_url: baseUrl } : {}),
    })
    const result = answer.result as ModelProbe
    return { result, receipt: answer.receipt, screen: (look) => modelProbeScreen(result, look) }
  },
}
