/**
 * The environment of a command, built from nothing: no variable of vp's own process ever reaches it. Lane values come
 * on top, except the few that decide what runs. Pure.
 */
import { VpError } from '../core/errors.ts'
import type { SandboxRequest } from './contract.ts'

/** The variable that carries the marker of a run. */
export const MARKER_NAME = 'VP_RUN_MARKER'

/** A lane may not set these: they change which program runs, or what is loaded into it before it starts. */
const NEVER = /^(PATH|HOME|PWD|TMPDIR|LD_.*|DYLD_.*|BASH_ENV|ENV|PROMPT_COMMAND|VP_RUN_MARKER)$/

/**
 * Caches that tools would lay beside the sources and trust by time and size alone: an edit of the same length within the
 * same second would be answered from what was there before it. They lie in the temporary directory of the one command; Python
 * writes none, as it would read none either from another place, and the library's own are worth a second a run. Go and
 * Cargo compare contents and nanoseconds, Node keeps none, and Jest's is in the temporary directory as it is.
 */
const CACHES = {
  PYTHONDONTWRITEBYTECODE: '1',
  PYTEST_ADDOPTS: '-o cache_dir=/tmp/vp/pytest',
  MYPY_CACHE_DIR: '/tmp/vp/mypy',
  RUFF_CACHE_DIR: '/tmp/vp/ruff',
}

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
    ...CACHES,
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
