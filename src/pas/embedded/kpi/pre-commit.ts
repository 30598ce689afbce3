/**
 * pre_commit: does the repository's own hook let the change through? A hook that cannot run without a network, or whose
 * tools are not there, says nothing about a change: that is told, and gates nothing.
 */
import type { CommandRun, LintMeasurement } from './measure.ts'
import { readLintRun } from './measure.ts'

export interface HookMeasurement extends LintMeasurement {
  /** Why it says nothing; null when it does. */
  readonly cannot: string | null
}

const CANNOT =
  /(command not found|: not found$|: No such file or directory$|ENOTFOUND|EAI_AGAIN|ENETUNREACH|could ?n[o']t resolve host|network is unreachable|temporary failure in name resolution|cannot find module|No module named|InvalidManifestError|unable to access 'https?:|is not installed|Operation not permitted$)/i

export function readHookRun(run: CommandRun): HookMeasurement {
  const lint = readLintRun(run)
  const cannot = lint.pass === true ? null : cannotOf(run, lint.output)
  return { ...lint, pass: cannot === null ? lint.pass : null, cannot }
}

export function cannotRun(why: string): HookMeasurement {
  return { pass: null, exit_code: null, ended_by: 'exit', output: '', cannot: why }
}

function cannotOf(run: CommandRun, output: string): string | null {
  if (run.ended_by !== 'exit') return `it was ended by its ${run.ended_by} limit`
  const line = `${run.stderr}\n${run.stdout}`.split('\n').find((one) => CANNOT.test(one.trimEnd()))
  if (line !== undefined) return line.trim().slice(0, 200)
  return run.exit_code === 126 || run.exit_code === 127 || run.exit_code === null
    ? `exit ${run.exit_code ?? 'by a signal'}: ${output.split('\n')[0] ?? ''}`
    : null
}
