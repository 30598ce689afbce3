/**
 * Before what may change something in a checkout: a write there that was killed is put back first, and a branch that moved alone is followed by
 * its tree, since afterwards nobody could tell what was whose. In an attempt nothing is ever half written: its tree is thrown away.
 */
import { finishedWords, finishMoves } from '../moves.ts'
import { repairedWords, repairWrites } from '../write-journal.ts'
import type { Step } from './call.ts'

export const settle: Step = async ({ operation, scene }) => {
  const { kit, tree, caller, notes } = scene
  if (operation.effect === 'read' || tree.inAttempt || tree.root === '') return
  const moved = await finishMoves(kit, tree.root)
  if (moved.length > 0) tree.touched()
  for (const one of moved) caller.onNotice?.(finishedWords(one))
  const repaired = await repairWrites(kit, tree.root)
  if (repaired.length === 0) return
  tree.touched()
  notes['put_back'] = repaired.map(({ restored, left }) => ({ restored: restored.length, left: left.slice(0, 20) }))
  for (const one of repaired) caller.onNotice?.(repairedWords(one))
}
