/** `node:crypto`, loaded when it is first used: a fifth of a start that a status does not need. */
export function nodeCrypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}
