/**
 * Provider names: PAS says `provider:model` (split at the first colon), PLMS matrices say `provider/model`.
 */
export interface ProviderName {
  readonly provider: string
  readonly model: string
}

export function parseProvider(text: string): ProviderName {
  const colon = text.indexOf(':')
  const at = colon < 0 ? text.indexOf('/') : colon
  return at < 0 ? { provider: text, model: '' } : { provider: text.slice(0, at), model: text.slice(at + 1) }
}
