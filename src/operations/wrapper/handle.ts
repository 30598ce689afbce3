/** Step 6: the operation itself. Writes go through the tree's writer, which keeps before-images under the receipt's id. */
import { OPEN } from '../masking.ts'
import { asksRaw, type Scene } from '../operation.ts'
import type { Step } from './call.ts'

export const handle: Step = async (call) => {
  call.scene.signal.throwIfAborted()
  call.result = await call.operation.handler(call.params, asksRaw(call.params) ? unmasked(call.scene) : call.scene)
}

/** For the handler alone: what is written down of the call is masked all the same. */
function unmasked(scene: Scene): Scene {
  const kit = { ...scene.kit, redactText: OPEN.text, redactJson: OPEN.json }
  return { ...scene, kit, tree: Object.assign(Object.create(scene.tree), { masking: () => OPEN }) }
}
