/** Words about runs that more than one place says. Pure. */

export const taskCount = (count: number): string => `${count} ${count === 1 ? 'task' : 'tasks'}`

/** Why a run stopped, as people read it: documents keep the word of contracts/pas.md. */
export function reasonWords(reason: string): string {
  return reason === 'budget_guard' ? 'over its budget, or on the way there' : reason
}
