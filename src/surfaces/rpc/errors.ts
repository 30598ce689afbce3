/** An error as JSON-RPC says it: the code of the one table, and beside it what a client can act on. */
import { createJSONRPCErrorResponse, type JSONRPCErrorResponse, type JSONRPCID } from 'json-rpc-2.0'
import { CODES, nextSteps, type VpError } from '../../core/errors.ts'

/** `data` as in contracts/vp.md section 2. `hint` is a command to copy where there is one, else the reason. */
export function errorResponse(id: JSONRPCID, error: VpError, receipt: string | null): JSONRPCErrorResponse {
  const { why, where, rule, approval, changed, data } = error.details
  const hint = nextSteps(error)[0] ?? why
  return createJSONRPCErrorResponse(id, CODES[error.code].rpc, error.message, {
    code: error.code,
    retryable: error.retryable,
    ...(rule === undefined ? {} : { rule }),
    ...(hint === undefined ? {} : { hint }),
    ...(approval === undefined ? {} : { approval }),
    ...(why === undefined ? {} : { why }),
    ...(where === undefined ? {} : { where }),
    ...(changed === undefined ? {} : { changed }),
    ...(data === undefined ? {} : { details: data }),
    receipt,
  })
}
