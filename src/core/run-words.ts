/** Why a run stopped, as people read it: documents keep the word of contracts/pas.md. Pure. */
export function reasonWords(reason: string): string {
  return reason === 'budget_guard' ? 'over its budget, or on the way there' : reason
}
