/**
 * `secrets.on_hit = halt`: a request in which secrets were masked waits for a person's yes. It is bound to the host and to how
 * many values of each kind are masked, so that one more of them is a new question, and never to the values.
 */
import { VpError } from '../../core/errors.ts'
import { canonicalJson, sha256 } from '../../core/json.ts'
import type { ModelRequest, Provider } from '../../models/contract.ts'
import { labelOf, PLACEHOLDER } from '../../policy/redact.ts'
import type { Kit } from '../kit.ts'
import { answerTo, type Asker } from '../wrapper/approval.ts'

const RULE = 'secrets/on_hit'

/** `request` as it would leave. Throws `approval.needed` and `approval.denied`; a value that was sent before is no new hit. A yes for one call is one request. */
export async function haltAtSecrets(
  kit: Kit,
  { provider, asker, project }: { readonly provider: Provider; readonly asker: Asker; readonly project: number | null },
  request: ModelRequest,
): Promise<void> {
  const masked = new Set([...(JSON.stringify(request.messages) ?? '').matchAll(PLACEHOLDER)].map(([placeholder]) => placeholder))
  if (masked.size === 0) return
  const kinds = Object.entries(Object.groupBy(masked, labelOf)).map(([label, values = []]) => [label, values.length] as const)
  const words = kinds
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, count]) => (count === 1 ? label : `${label} × ${count}`))
    .join(', ')
  const { kind, approval } = await answerTo(
    kit,
    { ...asker, yes: false },
    {
      operation: 'model.call',
      project,
      ask: {
        wants: `send what was read to ${provider.endpoint.host} (${provider.model}), with secrets masked: ${words}`,
        reaches: provider.endpoint.host,
        undo: 'not: what was sent stays sent',
        fullyUndoable: false,
        maxExtent: 'project',
      },
      decision: { effect: 'ask', rule: RULE, reason: 'secrets.on_hit is halt in your configuration' },
      sha: sha256(canonicalJson(['model.call', provider.endpoint.host, words])),
    },
  )
  if (kind === 'yes') return
  const about = { rule: RULE, ...(approval === null ? {} : { approval }) }
  if (kind === 'no') throw new VpError('approval.denied', `a person denied the call: it holds masked secrets (${words})`, about)
  throw new VpError('approval.needed', `a call to ${provider.endpoint.host} waits for a yes: it holds masked secrets (${words})`, {
    ...about,
    next: [`vp approve ${approval}`],
  })
}
