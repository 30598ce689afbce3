/** Step 6: the operation itself. Writes go through the tree's writer, which keeps before-images under the receipt's id. */
import type { Step } from './call.ts'

export const handle: Step = async (call) => {
  call.scene.signal.throwIfAborted()
  call.result = await call.operation.handler(call.params, call.scene)
}
