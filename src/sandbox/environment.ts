/**
 * The environment of a command, built from nothing: no variable of vp's own process ever reaches it. Lane values come
 * on top, except the few that decide what runs. Pure.
 */
import { VpError } from '../core/errors.ts'
import type { SandboxRequest } from './contract.ts'

/** The variable that carries the marker of a run. */
export const MARKER_NAME = 'VP_RUN_MARKER'

/** A lane may not set these: they change which program runs, or what is loaded into it before it starts. */
const NEVER = /^(PATH|HOME|PWD|TMPDIR|LD_.*|BASH_ENV|ENV|PROMPT_COMMAND|VP_RUN_MARKER)$/

/** What the command sees, in the paths of the sandbox. Throws `policy.invalid` for a value that cannot be one. */
export function buildEnvironment(request: Pick<SandboxRequest, 'env' | 'path' | 'marker' | 'cwd'>): Record<string, string> {
  const env: Record<string, string> = {
    PATH: [...request.path, '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    HOME: '/home/vp',
    TMPDIR: '/tmp',
    // bubblewrap sets it, so the others do.
    PWD: request.cwd === '' ? '/workspace' : `/workspace/${request.cwd}`,
    VP_SCRATCH: '/tmp/vp',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    TERM: 'dumb',
    CI: '1',
    // On landlock /etc/gitconfig is forbidden, not absent, and git would say so.
    GIT_CONFIG_NOSYSTEM: '1',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly',
    npm_config_ignore_scripts: 'true',
    npm_config_update_notifier: 'false',
    [MARKER_NAME]: request.marker,
  }
  if (!/^[A-Za-z0-9_-]{16,128}$/.test(request.marker)) throw new VpError('policy.invalid', 'the marker of a run is malformed')
  for (const [name, value] of Object.entries(request.env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || NEVER.test(name))
      throw new VpError('policy.invalid', `a lane may not set the variable ${JSON.stringify(name)}`)
    if (value.includes('\0')) throw new VpError('policy.invalid', `the value of ${name} holds a NUL character`)
    env[name] = value
  }
  return env
}
