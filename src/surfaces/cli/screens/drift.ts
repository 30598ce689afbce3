/** A model whose name stands for another one than the last call or test has met. */
export interface DriftView {
  readonly model: string
  readonly drift: { readonly was: string; readonly is: string } | null
}

export const driftLines = ({ model, drift }: DriftView): string[] =>
  drift ? [`warn  ${model} is another model than before: ${drift.was.slice(0, 12)} → ${drift.is.slice(0, 12)}`] : []
