/** What a command that does work needs beside its own file: one module, so that it is one load. */
export { openKit } from './kit.ts'
export { askYesNo, confirmAt, dialogueAt } from './prompt.ts'
export { invoke } from '../operations/invoke.ts'
export { openCheckout } from '../operations/projects/checkout.ts'
export { scopesOf } from '../policy/scopes.ts'
